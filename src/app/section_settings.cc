#include "app/section_settings.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "store/location.h"

namespace seedcore::app {
namespace {

std::string ToText(const settings::HostPort& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", address.host, address.port)
                 : fmt::format("{}:{}", address.host, address.port);
}

}  // namespace

net::ServerOptions ServerOptionsFrom(const settings::ServerSettings& settings) {
  net::ServerOptions options;
  options.listen = {ToText(settings.listen), ToText(settings.api_listen)};
  options.auth.tokens = settings.api_tokens;
  options.insecure_no_auth = settings.insecure_no_auth;
  options.cors_allowed_origins = settings.cors_allow_origins;
  net::ServerLimits& limits = options.limits;
  limits.header_bytes = settings.max_header_size.bytes;
  limits.body_bytes = settings.max_body_size.bytes;
  limits.connections = static_cast<std::size_t>(settings.max_connections);
  limits.worker_queue = static_cast<std::size_t>(settings.worker_queue);
  limits.io_threads = static_cast<unsigned>(settings.io_threads);
  // Workers mostly wait for a group commit; enough of them let many callers share one.
  constexpr unsigned kDefaultWorkers = 32;
  limits.worker_threads =
      settings.worker_threads > 0 ? static_cast<unsigned>(settings.worker_threads) : kDefaultWorkers;
  limits.header_read = settings.header_timeout;
  limits.idle = settings.idle_timeout;
  limits.request = settings.request_timeout;
  limits.request_max = settings.longest_request;
  return options;
}

net::ServerOptions DirectServerOptionsFrom(const settings::Settings& settings, const std::string& token) {
  net::ServerOptions options = ServerOptionsFrom(settings.server);
  options.listen = {ToText(settings.direct.listen)};
  options.auth.tokens = {token};
  options.insecure_no_auth = false;
  options.cors_allowed_origins.clear();
  options.limits.io_threads = static_cast<unsigned>(settings.direct.io_threads);
  return options;
}

net::BreakerSettings EjectionFrom(const settings::GatewaySettings& settings) {
  return {
      .failures_to_open = settings.eject_after, .open_for = settings.eject_for, .longest_open = settings.eject_longest};
}

LaneTimeouts LaneTimeoutsFrom(const settings::Settings& settings) {
  return {.connect = settings.gateway.connect_timeout,
          .probe_after = settings.direct.probe_after,
          .probe = settings.direct.probe_timeout};
}

net::BreakerSettings BreakerFrom(const settings::ClientSettings& settings) {
  constexpr std::chrono::milliseconds kFirstProbe{1'000};
  constexpr double kJitter = 0.5;
  return {.failures_to_open = settings.breaker_failures,
          .open_for = std::min(kFirstProbe, settings.breaker_reset),
          .longest_open = settings.breaker_reset,
          .jitter = kJitter};
}

namespace {

store::StreamRetention StreamRetentionFrom(const settings::StoreSettings& settings) {
  return {.keep = settings.stream_retention, .most = settings.max_streams};
}

}  // namespace

store::sqlite::SqliteSettings SqliteSettingsFrom(const settings::StoreSettings& settings, const std::string& data_dir) {
  store::sqlite::SqliteSettings options;
  options.path = (std::filesystem::path(data_dir) / store::kStoreFile).string();
  options.readers = settings.readers;
  options.shared = settings.shared;
  options.streams = StreamRetentionFrom(settings);
  return options;
}

store::postgres::PostgresSettings PostgresSettingsFrom(const settings::StoreSettings& settings) {
  store::postgres::PostgresSettings options;
  options.dsn = settings.pg_dsn;
  options.answer_timeout = settings.pg_answer_timeout;
  options.readers = settings.readers;
  options.streams = StreamRetentionFrom(settings);
  return options;
}

store::RetryPolicy RetryPolicyFrom(const settings::QueueSettings& settings) {
  return {settings.max_attempts, settings.retry_base, settings.retry_max};
}

queue::DispatcherSettings DispatcherSettingsFrom(const settings::QueueSettings& settings) {
  queue::DispatcherSettings options;
  options.name = "seedcore_dispatcher_0";
  options.concurrency = settings.concurrency;
  options.claim_batch = settings.claim_batch;
  options.lease = settings.lease;
  options.call_timeout = settings.execution_timeout;
  return options;
}

queue::ReaperSettings ReaperSettingsFrom(const settings::QueueSettings& settings) {
  queue::ReaperSettings options;
  options.period = settings.reap_interval;
  options.batch = settings.reap_batch;
  if (settings.retention.count() > 0) {
    options.keep_finished = std::chrono::duration_cast<std::chrono::hours>(settings.retention);
  }
  return options;
}

graph::EngineSettings GraphSettingsFrom(const settings::GraphSettings& settings) {
  return {.layers = settings.layers,
          .fanout = settings.fanout,
          .max_nodes = settings.max_nodes,
          .max_edges = settings.max_edges,
          .max_vectors = settings.max_vectors,
          .chunk = settings.chunk,
          .weights = settings.weights};
}

service::CoordinatorServiceSettings CoordinatorSettingsFrom(const settings::CoordinatorSettings& settings,
                                                            const settings::QueueSettings& queue) {
  service::CoordinatorServiceSettings options;
  options.ocps = {.slack = settings.ocps_slack, .threshold = settings.ocps_threshold};
  options.max_plan_steps = settings.max_plan_steps;
  options.max_inflight_escalations = settings.max_inflight_escalations;
  options.ml_timeout = settings.ml_timeout;
  options.cognitive_timeout = settings.cognitive_timeout;
  options.organism_timeout = settings.organism_timeout;
  options.fast_path_latency_slo = settings.fast_path_latency_slo;
  options.retry_delay = queue.retry_base;
  return options;
}

organism::OrganismSettings OrganismSettingsFrom(const settings::OrganismSettings& settings) {
  organism::OrganismSettings options;
  options.presence.heartbeat = settings.heartbeat_base;
  options.presence.heartbeat_jitter = settings.heartbeat_jitter;
  options.presence.backoff_max = settings.heartbeat_backoff;
  options.routing = {.ttl = settings.route_cache_ttl, .ttl_jitter = settings.route_cache_jitter};
  return options;
}

Result<organism::OrganismConfig> OrganismConfigFrom(const settings::OrganismSettings& settings) {
  if (settings.config_path.empty()) return organism::DefaultOrganismConfig();
  const std::ifstream in(settings.config_path, std::ios::binary);
  if (!in) return Fail(ErrorCode::kInvalidArgument, "cannot read the organism configuration", settings.config_path);
  return organism::ParseOrganismConfig(std::string(std::istreambuf_iterator<char>(in.rdbuf()), {}));
}

}  // namespace seedcore::app
