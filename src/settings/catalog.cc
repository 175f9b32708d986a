#include "settings/catalog.h"

#include <algorithm>
#include <array>
#include <utility>

namespace seedcore::settings {
namespace {

using std::chrono::milliseconds;

/// What a row says beyond the field it fills.
struct Spec {
  std::string_view meaning;
  std::vector<std::string> environment;  ///< empty: SEEDCORE_ and the name in capitals
  Limits limits;
  bool secret = false;
  bool later = false;
  std::string_view flag;  ///< empty: the name with dashes
};

template <class Section, class Field>
Setting Row(std::string name, Section Settings::* section, Field Section::* field, Spec spec) {
  Setting row;
  row.name = std::move(name);
  std::string dashes = row.name;
  std::ranges::replace_if(dashes, [](char c) { return c == '.' || c == '_'; }, '-');
  if (!spec.secret) row.flag = spec.flag.empty() ? dashes : std::string(spec.flag);
  row.environment = std::move(spec.environment);
  if (row.environment.empty()) {
    std::string variable = "SEEDCORE_";
    for (const char c : dashes)
      variable += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    row.environment.push_back(std::move(variable));
  }
  const TypeInfo info = Describe(spec.limits, Field{});
  row.type = info.type;
  row.range = info.range;
  row.meaning = spec.meaning;
  row.secret = spec.secret;
  row.later = spec.later;
  row.read = [section, field, limits = std::move(spec.limits)](const RawValue& raw, Settings& settings) {
    return ParseValue(raw, limits, settings.*section.*field);
  };
  row.write = [section, field](const Settings& settings) { return FormatValue(settings.*section.*field); };
  return row;
}

Limits Between(double min, double max) { return {.min = min, .max = max}; }
Limits Positive() { return {.min = 1, .max = 1e6}; }
/// For durations, in seconds.
Limits UpTo(std::chrono::seconds longest) { return {.min = 0.001, .max = static_cast<double>(longest.count())}; }

constexpr std::chrono::seconds kHour{3600};

using Rows = std::vector<Setting>;

void AddServer(Rows& rows) {
  const auto section = &Settings::server;
  using S = ServerSettings;
  rows.push_back(Row("server.listen", section, &S::listen,
                     {.meaning = "Address of the six services", .environment = {"SEEDCORE_LISTEN"}, .flag = "listen"}));
  rows.push_back(
      Row("server.api_listen", section, &S::api_listen,
          {.meaning = "Address of the task API", .environment = {"SEEDCORE_API_LISTEN"}, .flag = "api-listen"}));
  rows.push_back(Row("server.api_tokens", section, &S::api_tokens,
                     {.meaning = "Bearer tokens that are let in; empty: no authentication, loopback only",
                      .environment = {"SEEDCORE_API_TOKENS"},
                      .secret = true}));
  rows.push_back(Row("server.insecure_no_auth", section, &S::insecure_no_auth,
                     {.meaning = "Serve an address that others can reach without any token",
                      .environment = {"SEEDCORE_INSECURE_NO_AUTH"},
                      .flag = "insecure-no-auth"}));
  rows.push_back(Row("server.cors_allow_origins", section, &S::cors_allow_origins,
                     {.meaning = "Origins whose pages may call the API from a browser; * for all",
                      .environment = {"CORS_ALLOW_ORIGINS"}}));
  rows.push_back(Row("server.io_threads", section, &S::io_threads,
                     {.meaning = "Threads that move bytes; 0: one per core", .limits = Between(0, 256)}));
  rows.push_back(
      Row("server.worker_threads", section, &S::worker_threads,
          {.meaning = "Threads that run requests; 0: four per core, at least 8", .limits = Between(0, 1024)}));
  rows.push_back(Row("server.worker_queue", section, &S::worker_queue,
                     {.meaning = "Requests that may wait for a thread; beyond it 503", .limits = Positive()}));
  rows.push_back(Row("server.max_connections", section, &S::max_connections,
                     {.meaning = "Open connections per listener; beyond it 503", .limits = Between(1, 100'000)}));
  rows.push_back(Row("server.max_header_size", section, &S::max_header_size,
                     {.meaning = "Request line and header together", .limits = Between(1 << 10, 1 << 20)}));
  rows.push_back(Row("server.max_body_size", section, &S::max_body_size,
                     {.meaning = "Request body, after decompression", .limits = Between(1 << 10, 1 << 30)}));
  rows.push_back(Row("server.header_timeout", section, &S::header_timeout,
                     {.meaning = "Time a client has to send its header", .limits = UpTo(kHour)}));
  rows.push_back(Row("server.idle_timeout", section, &S::idle_timeout,
                     {.meaning = "Time a kept-alive connection may be silent", .limits = UpTo(kHour)}));
  rows.push_back(Row("server.request_timeout", section, &S::request_timeout,
                     {.meaning = "Deadline of a request whose client names none, from its first byte",
                      .environment = {"SEEDCORE_SERVER_REQUEST_TIMEOUT", "ORCH_HTTP_TIMEOUT"},
                      .limits = UpTo(kHour)}));
  rows.push_back(Row("server.longest_request", section, &S::longest_request,
                     {.meaning = "Longest deadline that a client may name in X-Request-Timeout-Ms, as the executions "
                                 "of tasks do; at least queue.execution_timeout",
                      .limits = UpTo(std::chrono::hours(24))}));
  rows.push_back(
      Row("server.services_elsewhere", section, &S::services_elsewhere,
          {.meaning = "Run none of the six services here; forward their requests to live replicas, as the gateway "
                      "does. Tasks are dispatched elsewhere, too",
           .flag = "services-elsewhere"}));
  rows.push_back(Row("server.drain_timeout", section, &S::drain_timeout,
                     {.meaning = "Time requests under way have to finish at shutdown", .limits = UpTo(kHour)}));
  rows.push_back(
      Row("server.debug_env", section, &S::debug_env,
          {.meaning = "Serve the settings, redacted, at /_env of the task API", .environment = {"ENABLE_DEBUG_ENV"}}));
}

void AddLogAndStore(Rows& rows) {
  rows.push_back(Row("log.level", &Settings::log, &LogSettings::level,
                     {.meaning = "Least severe log line that is written", .environment = {"LOG_LEVEL"}}));
  rows.push_back(Row("log.format", &Settings::log, &LogSettings::format,
                     {.meaning = "Log lines for people or for machines", .environment = {"LOG_FORMAT"}}));
  const auto section = &Settings::store;
  using S = StoreSettings;
  rows.push_back(Row("store.data_dir", section, &S::data_dir,
                     {.meaning = "Where everything is kept; a leading ~ is the home directory",
                      .environment = {"SEEDCORE_DATA_DIR"},
                      .flag = "data-dir"}));
  rows.push_back(Row("store.readers", section, &S::readers,
                     {.meaning = "Connections that read beside the one that writes", .limits = Between(1, 64)}));
  rows.push_back(Row("store.shared", section, &S::shared,
                     {.meaning = "Several processes of this host use the data directory, as Ray Serve replicas do; "
                                 "each of them must say so. Several hosts need PostgreSQL"}));
  rows.push_back(Row("store.pg_dsn", section, &S::pg_dsn,
                     {.meaning = "PostgreSQL to keep everything in, instead of the data directory",
                      .environment = {"SEEDCORE_PG_DSN", "PG_DSN"}}));
  rows.push_back(Row("store.pg_answer_timeout", section, &S::pg_answer_timeout,
                     {.meaning = "How long PostgreSQL may be silent in the middle of a statement before the connection "
                                 "is given up; longer than the 30 s that a statement may take",
                      .limits = Between(31, 86'400)}));
  rows.push_back(Row("store.stream_retention", section, &S::stream_retention,
                     {.meaning = "How long the drift baseline and the valve of a stream are kept that no task touches",
                      .limits = Between(3600, 10 * 365 * 86'400.0)}));
  rows.push_back(Row("store.max_streams", section, &S::max_streams,
                     {.meaning = "Drift baselines kept, and valves; of more, those go that were touched longest ago",
                      .limits = Between(1, 10'000'000)}));
}

void AddQueue(Rows& rows) {
  const auto section = &Settings::queue;
  using S = QueueSettings;
  rows.push_back(Row("queue.concurrency", section, &S::concurrency,
                     {.meaning = "Tasks one process executes at a time",
                      .environment = {"DISPATCHER_CONCURRENCY"},
                      .limits = Between(1, 1024)}));
  rows.push_back(Row("queue.claim_batch", section, &S::claim_batch,
                     {.meaning = "Tasks claimed at once, never more than can run",
                      .environment = {"CLAIM_BATCH_SIZE"},
                      .limits = Between(1, 1024)}));
  rows.push_back(Row("queue.lease", section, &S::lease,
                     {.meaning = "How long a claim holds without being renewed; renewed at a third of it",
                      .environment = {"TASK_LEASE_S"},
                      .limits = Between(1, 3600)}));
  rows.push_back(Row("queue.max_attempts", section, &S::max_attempts,
                     {.meaning = "Executions of a task that does not say itself",
                      .environment = {"MAX_TASK_ATTEMPTS"},
                      .limits = Between(1, 100)}));
  rows.push_back(Row("queue.retry_base", section, &S::retry_base,
                     {.meaning = "Wait before the first retry; doubles with each", .limits = UpTo(24 * kHour)}));
  rows.push_back(Row("queue.retry_max", section, &S::retry_max,
                     {.meaning = "Longest wait before a retry", .limits = UpTo(24 * kHour)}));
  rows.push_back(Row("queue.execution_timeout", section, &S::execution_timeout,
                     {.meaning = "Longest execution of one attempt",
                      .environment = {"SERVE_CALL_TIMEOUT_S"},
                      .limits = UpTo(24 * kHour)}));
  rows.push_back(Row("queue.reap_interval", section, &S::reap_interval,
                     {.meaning = "How often lapsed leases and missed deadlines are looked for",
                      .environment = {"WATCHDOG_INTERVAL"},
                      .limits = Between(0.05, 60)}));
  rows.push_back(Row("queue.reap_batch", section, &S::reap_batch,
                     {.meaning = "Tasks handled in one transaction then",
                      .environment = {"TASK_REAP_BATCH"},
                      .limits = Between(1, 10'000)}));
  rows.push_back(Row("queue.retention", section, &S::retention,
                     {.meaning = "How long finished tasks are kept", .limits = Between(60, 10 * 365 * 86'400.0)}));
  rows.push_back(Row("queue.dispatch_elsewhere", section, &S::dispatch_elsewhere,
                     {.meaning = "Execute no tasks in this process: `seedcore dispatch` or actors on Ray do",
                      .flag = "dispatch-elsewhere"}));
  rows.push_back(
      Row("queue.external_types", section, &S::external_types,
          {.meaning = "Types left to workers outside (docs/workers.md), by all processes of the store; `*`: every "
                      "type without an executor",
           .environment = {"SEEDCORE_EXTERNAL_TYPES"}}));
}

void AddGraph(Rows& rows) {
  const auto section = &Settings::graph;
  using S = GraphSettings;
  rows.push_back(Row("graph.dispatch_elsewhere", section, &S::dispatch_elsewhere,
                     {.meaning = "Leave graph tasks to `seedcore dispatch --role graph`"}));
  rows.push_back(Row("graph.layers", section, &S::layers,
                     {.meaning = "Rounds of aggregation in an embedding; a weights file must have as many",
                      .environment = {"GRAPH_LAYERS"},
                      .limits = Between(1, 8)}));
  rows.push_back(
      Row("graph.fanout", section, &S::fanout,
          {.meaning = "Neighbors of a node that an embedding looks at, the newest ones of each edge kind and "
                      "direction",
           .limits = Between(1, 10'000)}));
  rows.push_back(Row("graph.max_nodes", section, &S::max_nodes,
                     {.meaning = "Nodes of a neighborhood", .limits = Between(1, 1e6)}));
  rows.push_back(Row("graph.max_edges", section, &S::max_edges,
                     {.meaning = "Edges of a neighborhood", .limits = Between(1, 1e7)}));
  rows.push_back(Row("graph.max_vectors", section, &S::max_vectors,
                     {.meaning = "Stored embeddings a search compares with; with more of them it is refused",
                      .limits = Between(1, 1e9)}));
  rows.push_back(Row("graph.chunk", section, &S::chunk,
                     {.meaning = "Embeddings written in one transaction",
                      .environment = {"GRAPH_UPSERT_CHUNK_SIZE"},
                      .limits = Between(1, 10'000)}));
  rows.push_back(Row("graph.weights", section, &S::weights,
                     {.meaning = "JSON file with trained weights (docs/graph.md); empty: embeddings are a diffusion of "
                                 "features without weights"}));
}

void AddCoordinatorAndCognitive(Rows& rows) {
  const auto section = &Settings::coordinator;
  using S = CoordinatorSettings;
  rows.push_back(Row("coordinator.predicates_path", section, &S::predicates_path,
                     {.meaning = "Rule file; empty: the rules that are built in",
                      .environment = {"PREDICATES_CONFIG_PATH", "COORD_PREDICATES_PATH"}}));
  rows.push_back(Row("coordinator.ocps_threshold", section, &S::ocps_threshold,
                     {.meaning = "Accumulated drift at which the valve escalates",
                      .environment = {"OCPS_DRIFT_THRESHOLD"},
                      .limits = Between(1e-6, 1e6)}));
  rows.push_back(Row("coordinator.ocps_slack", section, &S::ocps_slack,
                     {.meaning = "Drift per task that is taken as normal", .limits = Between(0, 1e6)}));
  rows.push_back(Row(
      "coordinator.max_plan_steps", section, &S::max_plan_steps,
      {.meaning = "Longest plan that is carried out", .environment = {"MAX_PLAN_STEPS"}, .limits = Between(1, 256)}));
  rows.push_back(Row("coordinator.max_inflight_escalations", section, &S::max_inflight_escalations,
                     {.meaning = "Escalations under way at a time; beyond it they are refused",
                      .environment = {"COGNITIVE_MAX_INFLIGHT"},
                      .limits = Between(1, 10'000)}));
  rows.push_back(Row("coordinator.fast_path_latency_slo", section, &S::fast_path_latency_slo,
                     {.meaning = "Latency the fast path is meant to keep; a number is in milliseconds",
                      .environment = {"FAST_PATH_LATENCY_SLO_MS"},
                      .limits = {.min = 0.001, .max = 3600, .bare_unit = milliseconds{1}}}));
  rows.push_back(Row("coordinator.ml_timeout", section, &S::ml_timeout,
                     {.meaning = "Longest call of the ML service",
                      .environment = {"CB_ML_TIMEOUT_S", "ML_SERVICE_TIMEOUT"},
                      .limits = UpTo(kHour)}));
  rows.push_back(Row("coordinator.cognitive_timeout", section, &S::cognitive_timeout,
                     {.meaning = "Longest call of the Cognitive service",
                      .environment = {"COGNITIVE_TIMEOUT_S", "CB_COG_TIMEOUT_S", "COGNITIVE_SERVICE_TIMEOUT"},
                      .limits = UpTo(kHour)}));
  rows.push_back(Row("coordinator.organism_timeout", section, &S::organism_timeout,
                     {.meaning = "Longest call of the Organism service",
                      .environment = {"CB_ORG_TIMEOUT_S", "ORGANISM_SERVICE_TIMEOUT"},
                      .limits = UpTo(kHour)}));

  const auto cognitive = &Settings::cognitive;
  using C = CognitiveSettings;
  rows.push_back(
      Row("cognitive.provider", cognitive, &C::provider,
          {.meaning = "Who reasons. Language models (mlservice, openai) come later: until then it is `rules`",
           .environment = {"LLM_PROVIDER"},
           .limits = {.choices = {"rules", "mlservice", "openai"}},
           .later = true}));
  rows.push_back(Row("cognitive.fast_timeout", cognitive, &C::fast_timeout,
                     {.meaning = "Longest answer of the fast profile", .limits = UpTo(kHour)}));
  rows.push_back(Row("cognitive.deep_timeout", cognitive, &C::deep_timeout,
                     {.meaning = "Longest answer of the deep profile", .limits = UpTo(kHour)}));
  rows.push_back(Row("cognitive.retrieval_limit", cognitive, &C::retrieval_limit,
                     {.meaning = "Facts retrieved for one answer of the fast profile; the deep one takes twice as many",
                      .limits = Between(0, 200)}));
  rows.push_back(Row("cognitive.cache_entries", cognitive, &C::cache_entries,
                     {.meaning = "Answers kept for repetition; 0: none", .limits = Between(0, 100'000)}));
}

void AddOrganism(Rows& rows) {
  const auto section = &Settings::organism;
  using S = OrganismSettings;
  rows.push_back(Row("organism.config_path", section, &S::config_path,
                     {.meaning = "File with organs and agents; empty: those that are built in",
                      .environment = {"SEEDCORE_ORGANISM_CONFIG", "SEEDCORE_DEFAULT_CONFIG"}}));
  rows.push_back(
      Row("organism.execution_timeout", section, &S::execution_timeout,
          {.meaning = "Execution on an organ, for a task without params.organ_timeout_s", .limits = Between(1, 300)}));
  rows.push_back(Row("organism.heartbeat_base", section, &S::heartbeat_base,
                     {.meaning = "Time between heartbeats to the registry",
                      .environment = {"RUNTIME_HB_BASE_S"},
                      .limits = Between(0.1, 10)}));
  rows.push_back(Row(
      "organism.heartbeat_jitter", section, &S::heartbeat_jitter,
      {.meaning = "Random addition to it, at most", .environment = {"RUNTIME_HB_JITTER_S"}, .limits = Between(0, 10)}));
  rows.push_back(Row("organism.heartbeat_backoff", section, &S::heartbeat_backoff,
                     {.meaning = "Longest wait after heartbeats that failed",
                      .environment = {"RUNTIME_HB_BACKOFF_S"},
                      .limits = Between(0.1, 60)}));
  rows.push_back(Row("organism.route_cache_ttl", section, &S::route_cache_ttl,
                     {.meaning = "How long a resolved route is reused",
                      .environment = {"ROUTE_CACHE_TTL_S"},
                      .limits = Between(0, 3600)}));
  rows.push_back(Row("organism.route_cache_jitter", section, &S::route_cache_jitter,
                     {.meaning = "Random addition to it, at most",
                      .environment = {"ROUTE_CACHE_JITTER_S"},
                      .limits = Between(0, 3600)}));
  rows.push_back(Row("organism.webhook_allow", section, &S::webhook_allow,
                     {.meaning = "URL prefixes that `execute` tasks may call; empty: none",
                      .environment = {"SEEDCORE_WEBHOOK_ALLOW"}}));
  rows.push_back(Row("organism.webhook_timeout", section, &S::webhook_timeout,
                     {.meaning = "Longest call of a webhook", .limits = UpTo(kHour)}));
}

void AddMlAndEnergy(Rows& rows) {
  rows.push_back(Row("ml.max_series_length", &Settings::ml, &MlSettings::max_series_length,
                     {.meaning = "Points of one series in a request", .limits = Between(1, 10'000'000)}));
  rows.push_back(Row("ml.model_dir", &Settings::ml, &MlSettings::model_dir,
                     {.meaning = "Where trained models are kept; empty: models/ in the data directory",
                      .environment = {"XGB_STORAGE_PATH"},
                      .later = true}));
  const auto section = &Settings::energy;
  using S = EnergySettings;
  rows.push_back(Row(
      "energy.beta_router", section, &S::beta_router,
      {.meaning = "Gain of the router in L_tot", .environment = {"SEEDCORE_BETA_ROUTER"}, .limits = Between(0, 10)}));
  rows.push_back(Row(
      "energy.beta_meta", section, &S::beta_meta,
      {.meaning = "Gain of the meta level in L_tot", .environment = {"SEEDCORE_BETA_META"}, .limits = Between(0, 10)}));
  rows.push_back(Row("energy.rho_clip", section, &S::rho_clip,
                     {.meaning = "Gain the escalated path is clipped to in L_tot",
                      .environment = {"SEEDCORE_RHO_CLIP"},
                      .limits = Between(0, 1)}));
  rows.push_back(Row("energy.beta_tok", section, &S::beta_tok,
                     {.meaning = "Gain per token in L_tot",
                      .environment = {"SEEDCORE_BETA_TOK"},
                      .limits = Between(0, 10),
                      .later = true}));
  rows.push_back(Row("energy.l_tot_cap", section, &S::l_tot_cap,
                     {.meaning = "L_tot above which nothing is promoted",
                      .environment = {"SEEDCORE_PROMOTION_LTOT_CAP"},
                      .limits = Between(0, 10)}));
  rows.push_back(Row("energy.guard", section, &S::guard,
                     {.meaning = "Energy gain a promotion must bring at least",
                      .environment = {"SEEDCORE_E_GUARD"},
                      .limits = Between(0, 1e6),
                      .later = true}));
}

void AddClientAndCluster(Rows& rows) {
  const auto client = &Settings::client;
  using C = ClientSettings;
  rows.push_back(
      Row("client.api_url", client, &C::api_url,
          {.meaning = "Task API the command line talks to; by default at server.api_listen, where that is set",
           .environment = {"SEEDCORE_API", "SEEDCORE_API_URL"},
           .flag = "api"}));
  rows.push_back(Row("client.services_url", client, &C::services_url,
                     {.meaning = "Services the command line talks to; by default at server.listen, where that is set",
                      .environment = {"SERVE_GATEWAY"}}));
  rows.push_back(Row("client.api_token", client, &C::api_token,
                     {.meaning = "Bearer token it presents", .environment = {"SEEDCORE_API_TOKEN"}, .secret = true}));
  rows.push_back(Row("client.timeout", client, &C::timeout,
                     {.meaning = "Longest call of the command line", .limits = UpTo(kHour)}));
  rows.push_back(Row("client.breaker_failures", client, &C::breaker_failures,
                     {.meaning = "Failures in a row after which a service is left alone for a while",
                      .environment = {"CB_FAIL_THRESHOLD"},
                      .limits = Between(1, 1000)}));
  rows.push_back(Row("client.breaker_reset", client, &C::breaker_reset,
                     {.meaning = "At most so long: it is tried again after a second, and less and less often",
                      .environment = {"CB_RESET_S"},
                      .limits = UpTo(kHour)}));

  const auto cluster = &Settings::cluster;
  using S = ClusterSettings;
  const auto add = [&](std::string name, std::string S::* field, std::string_view meaning,
                       std::vector<std::string> environment, bool later) {
    rows.push_back(Row(std::move(name), cluster, field,
                       {.meaning = meaning, .environment = std::move(environment), .later = later}));
  };
  // How these four work together: docs/ray-connection.md.
  add("cluster.ray_address", &S::ray_address, "Ray to join: auto, HOST:PORT or ray://HOST:PORT", {"RAY_ADDRESS"},
      false);
  add("cluster.ray_namespace", &S::ray_namespace, "Namespace of the actors", {"SEEDCORE_NS", "RAY_NAMESPACE"}, false);
  add("cluster.serve_url", &S::serve_url, "Ray Serve's HTTP proxy", {"RAY_SERVE_URL", "RAY_SERVE_ADDRESS"}, false);
  add("cluster.dashboard_url", &S::dashboard_url, "Ray's dashboard", {"RAY_DASHBOARD_URL", "RAY_DASHBOARD_ADDRESS"},
      false);
  add("cluster.redis_url", &S::redis_url, "Redis for shared working memory", {"REDIS_URL"}, true);
  add("cluster.neo4j_uri", &S::neo4j_uri, "Neo4j as a source of the graph", {"NEO4J_URI"}, true);
  rows.push_back(Row("cluster.token", &Settings::direct, &DirectSettings::cluster_token,
                     {.meaning = "Secret between replicas, services and gateway; empty: on loopback one is made and "
                                 "kept in the store",
                      .environment = {"SEEDCORE_CLUSTER_TOKEN"},
                      .secret = true}));
}

void AddDirectAndGateway(Rows& rows) {
  const auto direct = &Settings::direct;
  using D = DirectSettings;
  rows.push_back(
      Row("direct.enabled", direct, &D::enabled,
          {.meaning = "Serve replicas and dispatchers also listen themselves, for gateways and for each other"}));
  rows.push_back(Row("direct.listen", direct, &D::listen,
                     {.meaning = "Where it does; anything but loopback needs the cluster token"}));
  rows.push_back(
      Row("direct.advertise", direct, &D::advertise,
          {.meaning = "IP address that others reach it at; empty: what it is bound to, or the address of the "
                      "node when that is every address"}));
  rows.push_back(Row("direct.io_threads", direct, &D::io_threads,
                     {.meaning = "Threads of that listener that move bytes", .limits = Between(1, 256)}));
  rows.push_back(Row("direct.drain_notice", direct, &D::drain_notice,
                     {.meaning = "Time between saying that a replica drains and refusing connections",
                      .limits = {.min = 0, .max = 60}}));
  rows.push_back(Row("direct.probe_after", direct, &D::probe_after,
                     {.meaning = "How long a replica or an organ's actor may leave a call unanswered until it is asked "
                                 "whether it lives",
                      .limits = Between(0.05, 3600)}));
  rows.push_back(Row("direct.probe_timeout", direct, &D::probe_timeout,
                     {.meaning = "Time to answer that; then the call is made elsewhere, and it is left alone like one "
                                 "that has failed several times",
                      .limits = Between(0.05, 3600)}));
  rows.push_back(Row("direct.peers", direct, &D::peers,
                     {.meaning = "Services call the listeners of others where they know one, else Ray Serve"}));
  rows.push_back(Row(
      "direct.gateway", direct, &D::gateway,
      {.meaning = "The listener of a replica answers all six prefixes: what is not its own goes to live replicas"}));
  rows.push_back(Row("direct.organs", direct, &D::organs,
                     {.meaning = "The organism has the work of its agents done by the organ's actor where one lives"}));

  const auto gateway = &Settings::gateway;
  using G = GatewaySettings;
  rows.push_back(Row("gateway.listen", gateway, &G::listen, {.meaning = "Address of `seedcore gateway`"}));
  rows.push_back(Row("gateway.refresh", gateway, &G::refresh,
                     {.meaning = "How often the list of live replicas is read", .limits = Between(0.05, 60)}));
  rows.push_back(
      Row("gateway.connect_timeout", gateway, &G::connect_timeout,
          {.meaning = "Time to be connected to a replica; then another one is tried", .limits = Between(0.01, 60)}));
  rows.push_back(Row("gateway.max_retries", gateway, &G::max_retries,
                     {.meaning = "Further attempts of a request, on other replicas", .limits = Between(0, 10)}));
  rows.push_back(Row("gateway.retry_budget", gateway, &G::retry_budget,
                     {.meaning = "Share of a service's requests of the last ten seconds that may be sent again, beside "
                                 "ten a second",
                      .limits = Between(0, 1)}));
  rows.push_back(
      Row("gateway.eject_after", gateway, &G::eject_after,
          {.meaning = "Failures in a row after which a replica gets no requests", .limits = Between(1, 1000)}));
  rows.push_back(Row("gateway.eject_for", gateway, &G::eject_for,
                     {.meaning = "Until it is tried again, beside all requests; doubles while that fails",
                      .limits = Between(0.01, 3600)}));
  rows.push_back(
      Row("gateway.eject_longest", gateway, &G::eject_longest, {.meaning = "At most", .limits = Between(0.01, 3600)}));
}

}  // namespace

const std::vector<Setting>& Catalog() {
  static const std::vector<Setting> catalog = [] {
    Rows rows;
    AddServer(rows);
    AddLogAndStore(rows);
    AddQueue(rows);
    AddGraph(rows);
    AddCoordinatorAndCognitive(rows);
    AddOrganism(rows);
    AddMlAndEnergy(rows);
    AddClientAndCluster(rows);
    AddDirectAndGateway(rows);
    return rows;
  }();
  return catalog;
}

std::span<const std::string_view> ForeignVariables() {
  static constexpr std::array<std::string_view, 12> kForeign{
      kConfigVariable,  // names the file itself
      "SEEDCORE_API_ADDRESS", "SEEDCORE_MODEL_PATH",         "SEEDCORE_DISPATCHERS",  "SEEDCORE_GRAPH_DISPATCHERS",
      "SEEDCORE_ENERGY_URL",  "SEEDCORE_BOOTSTRAP_OPTIONAL", "SEEDCORE_ROLLING_INIT", "SEEDCORE_SVC_HEAD_SVC",
      "SEEDCORE_HEAD_SVC",    "SEEDCORE_UPDATE_DOCS",        "SEEDCORE_SOURCE_DIR"};
  return kForeign;
}

}  // namespace seedcore::settings
