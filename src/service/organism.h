#pragma once

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"
#include "service/operation.h"
#include "service/organism_messages.h"
#include "service/routing_messages.h"

namespace seedcore::organism {
class Organism;
}

/// The Organism service: runs tasks on organs, says which organ a task belongs to, and reshapes the organism.
namespace seedcore::service {

/// Thread-safe; holds no state of its own. Until the organism is initialized every method but Initialize, Status and
/// ResolveRoute(s) fails with kUnavailable.
class OrganismService {
 public:
  /// Both must outlive the service.
  OrganismService(organism::Organism& organism, Env& env) : organism_(organism), env_(env) {}

  /// Errors: kUnavailable, kNotFound (organ, agent), kResourceExhausted (no free agent).
  [[nodiscard]] Result<ExecuteReply> ExecuteOnOrgan(const ExecuteOnOrganRequest& request, const CallContext& call);
  /// On an organ drawn at random among those with a free agent.
  [[nodiscard]] Result<ExecuteReply> ExecuteOnRandom(const ExecuteOnRandomRequest& request, const CallContext& call);
  /// Routes the task, then executes it.
  [[nodiscard]] Result<HandleTaskReply> HandleTask(const HandleTaskRequest& request, const CallContext& call);

  /// Errors: kNonRetryable for a type that no organ serves.
  [[nodiscard]] Result<ResolveRouteReply> ResolveRoute(const ResolveRouteRequest& request, const CallContext& call);
  [[nodiscard]] Result<ResolveRoutesReply> ResolveRoutes(const ResolveRoutesRequest& request, const CallContext& call);
  [[nodiscard]] Result<RoutingRulesReply> RoutingRules(const Empty& request, const CallContext& call);
  /// Errors: kNotFound when a rule names an organ that does not exist.
  [[nodiscard]] Result<ChangeRoutingRulesReply> ChangeRoutingRules(const ChangeRoutingRulesRequest& request,
                                                                   const CallContext& call);
  [[nodiscard]] Result<OrganismAck> RefreshRouting(const Empty& request, const CallContext& call);

  [[nodiscard]] Result<OrganismHealthReply> Health(const Empty& request, const CallContext& call);
  [[nodiscard]] Result<OrganismServiceStatus> Status(const Empty& request, const CallContext& call);
  [[nodiscard]] Result<OrganismStatusReply> OrganismStatus(const Empty& request, const CallContext& call);
  [[nodiscard]] Result<OrganismSummaryReply> Summary(const Empty& request, const CallContext& call);
  [[nodiscard]] Result<OrganismAgentsReply> Agents(const Empty& request, const CallContext& call);
  [[nodiscard]] Result<ExecutorsReply> Executors(const Empty& request, const CallContext& call);

  [[nodiscard]] Result<OrganismAck> Initialize(const Empty& request, const CallContext& call);
  /// Waits for executions under way, marks the organs' instances dead.
  [[nodiscard]] Result<OrganismAck> Shutdown(const Empty& request, const CallContext& call);
  [[nodiscard]] Result<EvolveReply> Evolve(const EvolveRequest& request, const CallContext& call);

 private:
  Result<ExecuteReply> Execute(const std::string& organ_id, const OrganTask& task, double organ_timeout_s,
                               EffectsMode mode, const CallContext& call);
  OrganismSummary Summarize();

  organism::Organism& organism_;
  Env& env_;
};

[[nodiscard]] OperationTable<OrganismService> OrganismOperations();

}  // namespace seedcore::service
