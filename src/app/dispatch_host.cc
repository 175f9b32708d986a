#include "app/dispatch_host.h"

#include <algorithm>
#include <array>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "app/advertised_address.h"
#include "app/cluster_token.h"
#include "app/dispatch_control.h"
#include "app/remote_execution.h"
#include "app/remote_peers.h"
#include "app/section_settings.h"
#include "app/several_hosts.h"
#include "base/log.h"
#include "net/auth.h"

namespace seedcore::app {
namespace {

constexpr int kMostProven = 1024;
constexpr std::chrono::milliseconds kLook{20};
constexpr int kHighestPriority = 10;
/// A drain, a proof, and two that must not wait behind them.
constexpr unsigned kControlThreads = 4;

/// Unique among the processes of several hosts; in containers the process id alone often is 1.
std::string DefaultName(const std::string& role) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("seedcore_{}_{}_{}", role == "queue" ? "dispatcher" : role, host.data(), ::getpid());
}

Result<void> CheckRole(const std::string& role) {
  if (role == "queue" || role == "graph" || role == "reaper") return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected queue, graph or reaper, got '{}'", role), "role");
}

}  // namespace

DispatchHost::DispatchHost(DispatchHostOptions options, settings::Settings settings, Env& env)
    : options_(std::move(options)), settings_(std::move(settings)), env_(env), started_at_(env.WallNow()) {
  if (options_.name.empty()) options_.name = DefaultName(options_.role);
}

Result<std::unique_ptr<DispatchHost>> DispatchHost::Start(DispatchHostOptions options, settings::Settings settings,
                                                          Env& env) {
  SEEDCORE_RETURN_IF_ERROR(CheckRole(options.role));
  settings.store.shared = true;  // whoever submits has the store open, too
  std::unique_ptr<DispatchHost> host(new DispatchHost(std::move(options), std::move(settings), env));
  SEEDCORE_RETURN_IF_ERROR(host->Open());
  return host;
}

DispatchHost::~DispatchHost() {
  Drain(std::chrono::milliseconds(0));
  if (listener_) listener_->Stop(std::chrono::milliseconds(0));
}

Result<void> DispatchHost::Open() {
  const bool executes = options_.role != "reaper";
  SEEDCORE_RETURN_IF_ERROR(CheckStoreReaches(settings_.store, options_.hosts));
  SEEDCORE_ASSIGN_OR_RETURN(
      foundation_, Foundation::Open(settings_.store, env_, executes ? FirstTasks::kAtOnce : FirstTasks::kSeldom));
  const store::Store::Health health = foundation_->store->CheckHealth();
  store_backend_ = health.backend;
  store_location_ = health.location;
  queue::ChooseTypes types;
  queue::TaskHandler handler;
  if (options_.role == "graph") {
    SEEDCORE_ASSIGN_OR_RETURN(graph_, GraphWorker::Make(settings_.graph, *foundation_));
    SEEDCORE_ASSIGN_OR_RETURN(auto claimed, graph_->Claimed(options_.types));
    types = [choice = queue::TypeChoice{.types = std::move(claimed)}] { return choice; };
    handler = graph_->Handler();
  } else if (executes) {
    SEEDCORE_RETURN_IF_ERROR(BindServices());
    executables_ = std::make_unique<RemoteExecutables>(foundation_->peers.organism, env_);
    external_types_ = std::make_unique<ExternalTypes>(env_, foundation_->store->queues(), *executables_,
                                                      TypesLeftToOthers(settings_));
    SEEDCORE_RETURN_IF_ERROR(external_types_->Register(settings_.queue.external_types));
    types = [this] { return external_types_->Claimed(options_.types); };
    handler = external_types_->HandingBack(ExecuteThrough(foundation_->peers, env_, settings_.queue.retry_base));
  }
  if (settings_.direct.enabled && !IsLocalOnly()) SEEDCORE_RETURN_IF_ERROR(Listen());
  SEEDCORE_ASSIGN_OR_RETURN(unit_, DispatchUnit::Start(settings_, *foundation_,
                                                       {.dispatcher = executes ? options_.name : "",
                                                        .reaper = executes ? "" : options_.name,
                                                        .node_id = options_.node_id,
                                                        .ip_address = options_.ip_address,
                                                        .address = address_},
                                                       std::move(types), std::move(handler)));
  if (control_) control_->Open();
  if (IsLocalOnly()) {
    log::Warning(
        "there are several hosts and listeners are bound to loopback: tasks go through the gateway, and nobody "
        "calls this dispatcher; SEEDCORE_DIRECT_LISTEN=0.0.0.0:0 with SEEDCORE_CLUSTER_TOKEN changes that",
        {{"name", options_.name}});
  }
  log::Info("dispatch host started", {{"name", options_.name},
                                      {"role", options_.role},
                                      {"services", gateway_},
                                      {"address", address_},
                                      {"store", store_location_}});
  return {};
}

bool DispatchHost::IsLocalOnly() const { return app::IsLocalOnly(settings_.direct, options_.hosts); }

/// As ServiceEngine does it.
Result<void> DispatchHost::BindServices() {
  SEEDCORE_ASSIGN_OR_RETURN(gateway_, GatewayUrl(options_.gateway_url, settings_, env_));
  std::optional<DirectLanes> lanes;
  if (settings_.direct.peers && !IsLocalOnly()) {
    SEEDCORE_ASSIGN_OR_RETURN(std::string token, ClusterToken(settings_.direct, foundation_->store->streams()));
    directory_ = std::make_unique<ReplicaDirectory>(foundation_->store->registry(), EjectionFrom(settings_.gateway),
                                                    settings_.gateway.refresh, env_);
    lanes = {.directory = directory_.get(), .token = std::move(token), .timeouts = LaneTimeoutsFrom(settings_)};
    // A failure is tried again, and logged, by the thread.
    (void)directory_->Refresh();
    directory_->Start();
  }
  return BindRemotePeers(foundation_->peers, gateway_, settings_.client, env_, lanes);
}

Result<void> DispatchHost::Listen() {
  SEEDCORE_RETURN_IF_ERROR(CheckDirectListen(settings_.direct));
  SEEDCORE_ASSIGN_OR_RETURN(const std::string token, ClusterToken(settings_.direct, foundation_->store->streams()));
  control_ = std::make_unique<DispatchControl>(*this, env_);
  net::ServerOptions options = DirectServerOptionsFrom(settings_, token);
  options.limits.worker_threads = kControlThreads;
  listener_ = std::make_unique<net::Server>(std::move(options), env_, foundation_->metrics);
  SEEDCORE_RETURN_IF_ERROR(listener_->AddRoutes(0, service::Routes(DispatchOperations(), *control_)));
  net::Route metrics;
  metrics.pattern = "/dispatch/metrics";
  metrics.handler = [this](const net::Request&) {
    return net::Response{.content_type = "text/plain; version=0.0.4", .body = foundation_->metrics.Expose()};
  };
  std::vector<net::Route> more;
  more.push_back(std::move(metrics));
  SEEDCORE_RETURN_IF_ERROR(listener_->AddRoutes(0, std::move(more)));
  SEEDCORE_RETURN_IF_ERROR(listener_->Start());
  SEEDCORE_ASSIGN_OR_RETURN(const net::HostPort where,
                            AdvertisedAddress(settings_.direct, listener_->endpoints().front(), options_.ip_address));
  address_ = where.ToString();
  return {};
}

DispatchHostStatus DispatchHost::Status() const {
  DispatchHostStatus status;
  status.role = options_.role;
  status.name = options_.name;
  status.state = state_.load();
  status.store_backend = store_backend_;
  status.store_location = store_location_;
  status.services = gateway_;
  status.pid = static_cast<int>(::getpid());
  status.started_at = started_at_;
  status.address = address_;
  status.dispatcher = unit_->Dispatcher();
  status.reaper = unit_->Reaper();
  status.scheduler = unit_->Scheduler();
  if (const auto registration = unit_->Registration()) {
    status.instance_id = registration->instance_id;
    status.epoch = registration->epoch;
    status.heartbeat_error = registration->problem;
  }
  return status;
}

Result<void> DispatchHost::CheckStore() {
  const store::Store::Health health = foundation_->store->CheckHealth();
  if (!health.writable) return Fail(ErrorCode::kUnavailable, "the store: " + health.error, health.location);
  return {};
}

Result<std::vector<ProvenTask>> DispatchHost::Prove(int count, std::chrono::milliseconds patience) {
  if (count < 1 || count > kMostProven) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} tasks, got {}", kMostProven, count),
                "count");
  }
  const Instant deadline = env_.Now() + patience;
  store::NewTask task;
  task.type = graph_ ? "graph_sync_nodes" : "health_check";
  // A kind of which there are few.
  if (graph_) task.params = {{"node_kinds", json::array{"organ"}}};
  task.description = "Proof that tasks are executed";
  task.domain = "seedcore.proof";
  task.priority = kHighestPriority;
  const std::vector<store::NewTask> tasks(static_cast<std::size_t>(count), task);
  store::TaskStore& store = foundation_->store->tasks();
  SEEDCORE_ASSIGN_OR_RETURN(const auto submitted, store.Submit(tasks));
  std::vector<ProvenTask> proven;
  for (const store::SubmitResult& one : submitted) {
    SEEDCORE_ASSIGN_OR_RETURN(store::Task seen, store.Get(one.task.id));
    while (!store::IsTerminal(seen.status) && env_.Now() < deadline) {
      if (!env_.SleepFor(kLook, {})) break;
      SEEDCORE_ASSIGN_OR_RETURN(seen, store.Get(one.task.id));
    }
    if (!store::IsTerminal(seen.status)) SEEDCORE_RETURN_IF_ERROR(store.Cancel(one.task.id));
    SEEDCORE_ASSIGN_OR_RETURN(ProvenTask result, LookAt(one.task.id));
    proven.push_back(std::move(result));
  }
  return proven;
}

Result<ProvenTask> DispatchHost::LookAt(const std::string& task_id) {
  store::TaskStore& store = foundation_->store->tasks();
  SEEDCORE_ASSIGN_OR_RETURN(const store::Task task, store.Get(task_id));
  SEEDCORE_ASSIGN_OR_RETURN(const auto events, store.Events(task_id));
  ProvenTask result{
      .id = task_id, .status = std::string(EnumToString(task.status)), .owner_id = {}, .error = task.error};
  const auto completed = std::ranges::find(events, "completed", &store::TaskEvent::kind);
  if (completed != events.end()) result.owner_id = completed->owner_id;
  return result;
}

void DispatchHost::Drain(std::chrono::milliseconds patience) {
  const std::scoped_lock one_at_a_time(drain_mutex_);
  if (!unit_ || std::string_view(state_.load()) == "stopped") return;
  state_ = "draining";
  unit_->Stop(env_.Now() + patience);
  state_ = "stopped";
}

}  // namespace seedcore::app
