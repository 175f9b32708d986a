#include "app/organ_lanes.h"

#include <utility>

#include "app/progress_relay.h"
#include "base/log.h"

namespace seedcore::app {

OrganLanes::OrganLanes(DirectLanes lanes, Foundation& foundation)
    : lanes_(std::move(lanes)),
      foundation_(foundation),
      hosted_(foundation.metrics.GetCounter(
          "seedcore_organ_work_total", "Work of agents that hosts of organs were asked for", {{"outcome", "hosted"}})),
      fell_back_(foundation.metrics.GetCounter("seedcore_organ_work_total",
                                               "Work of agents that hosts of organs were asked for",
                                               {{"outcome", "in_place"}})) {}

std::optional<OrganLanes::OrganPeer> OrganLanes::PeerOf(const std::string& organ_id) {
  auto upstreams = lanes_.directory->OfOrgan(organ_id);
  if (!upstreams || upstreams->List().empty()) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  const auto known = peers_.find(organ_id);
  if (known != peers_.end()) return known->second;
  const OrganPeer peer(service::CallRecorder{&foundation_.env, &foundation_.spans});
  auto lane = std::make_shared<DirectLane>(*lanes_.directory, std::move(upstreams), "organ " + organ_id, lanes_.token,
                                           lanes_.timeouts, foundation_.env);
  peer.BindRemote(service::OrganOperations(),
                  [lane](net::Method method, const std::string& path, std::string body,
                         const CallContext& call) -> Result<net::Response> {
                    net::ClientRequest request{.method = method, .target = path, .body = std::move(body)};
                    NameLease(call, request.headers);
                    auto answer = lane->Send(request, call);
                    if (answer) return std::move(*answer);
                    return Fail(ErrorCode::kUnavailable, "no host of the organ has taken the work");
                  });
  return peers_.emplace(organ_id, peer).first->second;
}

std::optional<OrganLanes::Done> OrganLanes::Execute(const Work& work, const CallContext& call) {
  const auto peer = PeerOf(work.organ_id);
  if (!peer) return std::nullopt;
  const service::OrganWork request = service::WorkOf(work.organ_id, work.agent_id, work.task, work.vitals(), call);
  auto done = peer->Call<&service::OrganService::Execute>(request, call);
  if (done) {
    hosted_.Increment();
    std::string host = done->host;
    return Done{service::ResultOf(std::move(*done)), std::move(host)};
  }
  if (const auto wanted = call.Check(foundation_.env); !wanted) {
    return Done{organism::ExecutionResult::Failure(wanted.error()), {}};
  }
  // A host answers with an error when it has not begun; when it is lost, what it may have done is done again, as at
  // every attempt, under the same key.
  fell_back_.Increment();
  log::Debug("work of an organ is done in place",
             {{"organ_id", work.organ_id}, {"task_id", work.task.id}, {"reason", ToString(done.error())}});
  return std::nullopt;
}

std::vector<OrganLanes::Host> OrganLanes::Of(const std::string& organ_id) const {
  std::vector<Host> hosts;
  for (const store::Instance& instance : lanes_.directory->OrganHosts()) {
    if (instance.logical_id.substr(kOrganPrefix.size()) != organ_id) continue;
    hosts.push_back({instance.actor_name, instance.address});
  }
  return hosts;
}

}  // namespace seedcore::app
