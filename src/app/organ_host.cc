#include "app/organ_host.h"

#include <optional>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/cluster_token.h"
#include "app/organ_executors.h"
#include "app/progress_relay.h"
#include "app/remote_peers.h"
#include "app/section_settings.h"
#include "app/several_hosts.h"
#include "base/log.h"

namespace seedcore::app {

OrganHost::OrganHost(OrganHostOptions options, settings::Settings settings, Env& env)
    : options_(std::move(options)), settings_(std::move(settings)), env_(env), started_at_(env.WallNow()) {
  if (options_.name.empty()) options_.name = "seedcore_organ_" + options_.organ_id;
}

Result<std::unique_ptr<OrganHost>> OrganHost::Start(OrganHostOptions options, settings::Settings settings, Env& env) {
  if (options.organ_id.empty()) return Fail(ErrorCode::kInvalidArgument, "expected the id of an organ", "organ_id");
  settings.store.shared = true;  // the organism has the store open, too
  std::unique_ptr<OrganHost> host(new OrganHost(std::move(options), std::move(settings), env));
  SEEDCORE_RETURN_IF_ERROR(host->Open());
  return host;
}

OrganHost::~OrganHost() { Drain(std::chrono::milliseconds(0)); }

Result<void> OrganHost::Open() {
  SEEDCORE_RETURN_IF_ERROR(CheckStoreReaches(settings_.store, options_.hosts));
  if (!settings_.direct.enabled || !settings_.direct.organs) {
    return Fail(ErrorCode::kConflict, "work of organs is not to be done elsewhere",
                settings_.direct.enabled ? "direct.organs" : "direct.enabled");
  }
  if (IsLocalOnly(settings_.direct, options_.hosts)) {
    return Fail(ErrorCode::kConflict,
                "there are several hosts and listeners are bound to loopback; SEEDCORE_DIRECT_LISTEN=0.0.0.0:0 with "
                "SEEDCORE_CLUSTER_TOKEN changes that",
                "direct.listen");
  }
  SEEDCORE_ASSIGN_OR_RETURN(foundation_, Foundation::Open(settings_.store, env_));
  progress_ = std::make_unique<queue::ProgressKeeper>(env_, foundation_->store->tasks(), foundation_->metrics);
  store_backend_ = foundation_->store->CheckHealth().backend;
  SEEDCORE_ASSIGN_OR_RETURN(const std::string gateway, GatewayUrl(options_.gateway_url, settings_, env_));
  SEEDCORE_ASSIGN_OR_RETURN(std::string token, ClusterToken(settings_.direct, foundation_->store->streams()));
  directory_ = std::make_unique<ReplicaDirectory>(foundation_->store->registry(), EjectionFrom(settings_.gateway),
                                                  settings_.gateway.refresh, env_);
  (void)directory_->Refresh();  // a failure is tried again, and logged, by the thread
  directory_->Start();
  std::optional<DirectLanes> lanes;
  if (settings_.direct.peers) {
    lanes = {.directory = directory_.get(), .token = std::move(token), .timeouts = LaneTimeoutsFrom(settings_)};
  }
  SEEDCORE_RETURN_IF_ERROR(BindRemotePeers(foundation_->peers, gateway, settings_.client, env_, lanes));
  SEEDCORE_ASSIGN_OR_RETURN(
      graph_, RegisterAllExecutors(executors_, settings_, *foundation_, [this] { return service_->vitals(); }));
  service_ = std::make_unique<service::OrganService>(options_.organ_id, options_.name, executors_, env_);
  std::vector<net::Route> routes = service::Routes(service::OrganOperations(), *service_);
  for (net::Route& route : routes) route.handler = WithProgress(std::move(route.handler), *progress_);
  SEEDCORE_ASSIGN_OR_RETURN(
      listener_, DirectListener::Start(settings_,
                                       {.logical_id = fmt::format("{}{}", kOrganPrefix, options_.organ_id),
                                        .actor_name = options_.name,
                                        .service = kOrganService,
                                        .serve_route = "/organ"},
                                       {.node_id = options_.node_id, .node_ip = options_.ip_address}, std::move(routes),
                                       *foundation_));
  log::Info("organ host started", {{"name", options_.name}, {"address", listener_->address()}, {"services", gateway}});
  return {};
}

OrganHostStatus OrganHost::Status() const {
  return {.organ_id = options_.organ_id,
          .name = options_.name,
          .state = state_.load(),
          .store_backend = store_backend_,
          .address = listener_->address(),
          .pid = static_cast<int>(::getpid()),
          .started_at = started_at_,
          .running = service_->running(),
          .executed = service_->executed()};
}

void OrganHost::Drain(std::chrono::milliseconds patience) {
  const std::scoped_lock one_at_a_time(drain_mutex_);
  if (!listener_ || std::string_view(state_.load()) == "stopped") return;
  state_ = "draining";
  listener_->Stop(settings_.direct.drain_notice, patience);
  directory_->Stop();
  state_ = "stopped";
}

}  // namespace seedcore::app
