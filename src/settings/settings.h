#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "settings/value.h"

/// Every setting of SeedCore, as plain structs. The defaults are here; name, environment variables, range and meaning
/// of each field are its row in catalog.cc, from which docs/settings.md is made.
namespace seedcore::settings {

using std::chrono::milliseconds;

struct ServerSettings {
  HostPort listen{"127.0.0.1", 8000};
  HostPort api_listen{"127.0.0.1", 8002};
  std::vector<std::string> api_tokens;
  bool insecure_no_auth = false;
  std::vector<std::string> cors_allow_origins;
  int io_threads = 0;      ///< 0: one per core
  int worker_threads = 0;  ///< 0: four per core, at least 8
  int worker_queue = 1024;
  int max_connections = 4096;
  ByteSize max_header_size{16 << 10};
  ByteSize max_body_size{8 << 20};
  milliseconds header_timeout{10'000};
  milliseconds idle_timeout{60'000};
  milliseconds request_timeout{30'000};
  milliseconds longest_request{600'000};
  bool services_elsewhere = false;
  milliseconds drain_timeout{10'000};
  bool debug_env = false;
};

struct LogSettings {
  log::Level level = log::Level::kInfo;
  log::Format format = log::Format::kText;
};

struct StoreSettings {
  std::filesystem::path data_dir = "~/.local/share/seedcore";
  int readers = 4;
  bool shared = false;  ///< several processes of this host use the data directory
  std::string pg_dsn;
  milliseconds stream_retention{std::chrono::days{30}};
  int max_streams = 100'000;
};

struct QueueSettings {
  int concurrency = 16;
  int claim_batch = 32;
  milliseconds lease{30'000};
  int max_attempts = 3;
  milliseconds retry_base{10'000};
  milliseconds retry_max{300'000};
  milliseconds execution_timeout{120'000};
  milliseconds reap_interval{1'000};
  int reap_batch = 200;
  milliseconds retention{std::chrono::days{7}};
  bool dispatch_elsewhere = false;
  std::vector<std::string> external_types;  ///< for workers outside; "*": every type without an executor
};

struct GraphSettings {
  bool dispatch_elsewhere = false;
  int layers = 2;
  int fanout = 16;
  int max_nodes = 5'000;
  int max_edges = 20'000;
  int max_vectors = 1'000'000;
  int chunk = 200;
  std::filesystem::path weights;  ///< empty: none, the embedding is a diffusion
};

struct CoordinatorSettings {
  std::filesystem::path predicates_path;  ///< empty: the shipped rules
  double ocps_threshold = 0.5;
  double ocps_slack = 0.1;
  int max_plan_steps = 16;
  int max_inflight_escalations = 64;
  milliseconds fast_path_latency_slo{1'000};
  milliseconds ml_timeout{5'000};
  milliseconds cognitive_timeout{8'000};
  milliseconds organism_timeout{5'000};
};

struct CognitiveSettings {
  std::string provider = "rules";
  milliseconds fast_timeout{5'000};
  milliseconds deep_timeout{20'000};
  int retrieval_limit = 20;
  int cache_entries = 1024;
};

struct OrganismSettings {
  std::filesystem::path config_path;  ///< empty: the shipped organs
  milliseconds execution_timeout{30'000};
  milliseconds heartbeat_base{3'000};
  milliseconds heartbeat_jitter{2'000};
  milliseconds heartbeat_backoff{10'000};
  milliseconds route_cache_ttl{3'000};
  milliseconds route_cache_jitter{500};
  std::vector<std::string> webhook_allow;
  milliseconds webhook_timeout{10'000};
};

struct MlSettings {
  int max_series_length = 1'000'000;
  std::filesystem::path model_dir;
};

struct EnergySettings {
  double beta_router = 1.0;
  double beta_meta = 0.8;
  double rho_clip = 0.95;
  double beta_tok = 0.0;
  double l_tot_cap = 0.98;
  double guard = 0.0;
};

/// For the command line as a client of a running platform.
struct ClientSettings {
  std::string api_url = "http://127.0.0.1:8002";
  std::string services_url = "http://127.0.0.1:8000";
  std::string api_token;
  milliseconds timeout{10'000};
  int breaker_failures = 5;
  milliseconds breaker_reset{30'000};
};

/// Where Ray and the servers beside it are.
struct ClusterSettings {
  std::string ray_address;
  std::string ray_namespace = "seedcore-dev";
  std::string serve_url;
  std::string dashboard_url;
  std::string redis_url;
  std::string neo4j_uri;
};

/// The listener that a Serve replica opens itself, and the calls between services that go straight to it.
struct DirectSettings {
  bool enabled = true;
  HostPort listen{"127.0.0.1", 0};
  std::string advertise;      ///< empty: what it is bound to
  std::string cluster_token;  ///< empty: on loopback one from the store
  int io_threads = 1;
  milliseconds drain_notice{1'500};
  milliseconds probe_after{2'000};
  milliseconds probe_timeout{5'000};
  bool peers = true;
  bool gateway = true;
  bool organs = true;
  friend bool operator==(const DirectSettings&, const DirectSettings&) = default;
};

/// `seedcore gateway`; what is not about listening also holds for direct calls between services.
struct GatewaySettings {
  HostPort listen{"127.0.0.1", 8080};
  milliseconds refresh{1'000};
  milliseconds connect_timeout{1'000};
  int max_retries = 2;
  double retry_budget = 0.2;
  int eject_after = 3;
  milliseconds eject_for{1'000};
  milliseconds eject_longest{30'000};
};

enum class SourceKind { kDefault, kFile, kEnvironment, kFlag };

/// Where the value of one setting came from; `text` is for people: "flag --listen", "environment SEEDCORE_LISTEN",
/// "file seedcore.yaml line 3", "default".
struct Source {
  SourceKind kind = SourceKind::kDefault;
  std::string text = "default";
};

struct Settings {
  ServerSettings server;
  LogSettings log;
  StoreSettings store;
  QueueSettings queue;
  GraphSettings graph;
  CoordinatorSettings coordinator;
  CognitiveSettings cognitive;
  OrganismSettings organism;
  MlSettings ml;
  EnergySettings energy;
  ClientSettings client;
  ClusterSettings cluster;
  DirectSettings direct;
  GatewaySettings gateway;

  /// By setting name; every setting of the catalog has an entry.
  std::map<std::string, Source, std::less<>> sources;
  /// Things a person should hear about that do not stop the start. Never holds a secret.
  std::vector<std::string> warnings;
};

/// What Resolve reads. Later members win over earlier ones.
struct Sources {
  struct File {
    std::string name;  ///< as messages show it
    std::string text;
  };
  std::optional<File> file;
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> flags;  ///< by flag name without dashes; a switch has the value "true"
};

/// Puts every setting together. Pure. An empty environment variable counts as not set. Two names of the same setting
/// with different values, and an unknown SEEDCORE_* variable, are warnings. kInvalidArgument, in one line that names
/// source, value and range: a value that does not fit, an unknown key or flag, settings that contradict each other.
/// kMalformed: the file is not YAML.
[[nodiscard]] Result<Settings> Resolve(const Sources& sources);

/// Resolve over the real environment and the file `config_file`, or SEEDCORE_CONFIG. kNotFound: it can't be read.
[[nodiscard]] Result<Settings> Load(const std::map<std::string, std::string>& flags, const std::string& config_file);

}  // namespace seedcore::settings
