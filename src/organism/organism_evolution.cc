#include <algorithm>
#include <functional>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "base/log.h"
#include "organism/organism.h"

namespace seedcore::organism {
namespace {

/// Steps taken so far, each with how to undo it; undone in reverse unless kept.
class Undo {
 public:
  ~Undo() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      if (auto undone = (*step)(); !undone) {
        log::Error("a change of structure could not be undone", {{"error", ToString(undone.error())}});
      }
    }
  }
  void Add(std::function<Result<void>()> step) { steps_.push_back(std::move(step)); }
  void Keep() { steps_.clear(); }

 private:
  std::vector<std::function<Result<void>()>> steps_;
};

}  // namespace

/// Routes to organs that go away follow the agents; where there is nobody to follow, the change is refused.
Result<std::vector<store::RoutingRule>> Organism::RulesToRedirect(const EvolutionRequest& request,
                                                                  const EvolutionPlan& plan, const CallContext& call) {
  const std::string& heir = request.op == EvolutionOp::kMerge ? request.organ_id : request.migrate_to;
  std::vector<store::RoutingRule> redirected;
  for (const std::string& organ_id : plan.removed_organs) {
    if (organ_id == routing_.DefaultOrgan()) {
      return Fail(ErrorCode::kConflict, fmt::format("{} is the default organ and can't go away", organ_id));
    }
    SEEDCORE_ASSIGN_OR_RETURN(auto rules, routing_.RulesTo(organ_id, call));
    if (heir.empty() && !rules.empty()) {
      std::vector<std::string> types;
      for (const auto& rule : rules) types.push_back(rule.task_type);
      return Fail(ErrorCode::kConflict,
                  fmt::format("{} still gets tasks of type {}; give params.migrate_to or change the routing rules",
                              organ_id, fmt::join(types, ", ")));
    }
    for (store::RoutingRule& rule : rules) {
      rule.logical_id = heir;
      redirected.push_back(std::move(rule));
    }
  }
  return redirected;
}

/// All of it or, undone step by step, nothing.
Result<void> Organism::ApplyToRegistry(const EvolutionPlan& plan, const std::vector<store::RoutingRule>& redirected,
                                       const CallContext& call) {
  store::RegistryStore& registry = store_.registry();
  Undo undo;
  for (const auto& [organ_id, type] : plan.new_organs) {
    SEEDCORE_RETURN_IF_ERROR(registry.EnsureOrgan(organ_id, type, {{"origin", "evolution"}}));
    undo.Add([&registry, organ_id] { return registry.RemoveOrgan(organ_id); });
  }
  for (const auto& agent : plan.new_agents) {
    SEEDCORE_RETURN_IF_ERROR(registry.EnsureAgent(agent.agent_id, agent.organ_id, {{"origin", "evolution"}}));
    SEEDCORE_RETURN_IF_ERROR(registry.MoveAgent(agent.agent_id, agent.organ_id));
    undo.Add([&registry, id = agent.agent_id] { return registry.MoveAgent(id, ""); });
  }
  std::map<std::string, std::string> old_organ;
  for (const AgentSnapshot& agent : population_.Agents()) old_organ[agent.agent_id] = agent.organ_id;
  for (const auto& [agent_id, organ_id] : plan.moves) {
    SEEDCORE_RETURN_IF_ERROR(registry.MoveAgent(agent_id, organ_id));
    undo.Add([&registry, agent_id, from = old_organ[agent_id]] { return registry.MoveAgent(agent_id, from); });
  }
  for (const std::string& agent_id : plan.removed_agents) {
    SEEDCORE_RETURN_IF_ERROR(registry.MoveAgent(agent_id, ""));
    undo.Add([&registry, agent_id, from = old_organ[agent_id]] { return registry.MoveAgent(agent_id, from); });
  }
  for (const auto& [organ_id, type] : plan.new_organs) {
    SEEDCORE_RETURN_IF_ERROR(presence_.Enter(organ_id));
    undo.Add([this, id = organ_id] { return presence_.Leave(id); });
  }
  // Last, because it is the one step without a way back.
  if (!redirected.empty()) SEEDCORE_RETURN_IF_ERROR(routing_.ChangeRules(redirected, {}, call));
  undo.Keep();
  return {};
}

/// What can't fail any more: the registry has agreed.
void Organism::ApplyToPopulation(const EvolutionPlan& plan) {
  for (const auto& [organ_id, type] : plan.new_organs) {
    const auto added = population_.AddOrgan(organ_id, type);
    SEEDCORE_CHECK(added, "a plan gives new organs ids that are free");
  }
  for (const auto& agent : plan.new_agents) population_.AddAgent(agent.agent_id, agent.organ_id, agent.capacity);
  population_.Rearrange(plan.moves, plan.removed_organs);
  for (const std::string& organ_id : plan.removed_organs) {
    auto gone = presence_.Leave(organ_id);
    if (gone) gone = store_.registry().RemoveOrgan(organ_id);
    // It expires for want of heartbeats, and nothing is routed to it.
    if (!gone)
      log::Warning("a removed organ is still in the registry",
                   {{"organ_id", organ_id}, {"error", ToString(gone.error())}});
  }
  routing_.Invalidate();
}

Result<EvolutionOutcome> Organism::Evolve(const EvolutionRequest& request, const CallContext& call) {
  const std::lock_guard lock(structure_mutex_);
  SEEDCORE_RETURN_IF_ERROR(CheckRunning());
  const auto organs = population_.Organs();
  const auto agents = population_.Agents();
  EvolutionOutcome outcome;
  SEEDCORE_ASSIGN_OR_RETURN(outcome.plan, PlanEvolution(request, organs, agents, settings_.evolution));
  SEEDCORE_ASSIGN_OR_RETURN(const auto redirected, RulesToRedirect(request, outcome.plan, call));

  const EvolutionPlan& plan = outcome.plan;
  outcome.accepted = plan.energy_after - plan.energy_before + plan.cost < 0.0;
  outcome.measured_before = StructureEnergy(population_.Agents());
  outcome.measured_after = outcome.measured_before;
  if (!outcome.accepted && !request.force) return outcome;

  SEEDCORE_RETURN_IF_ERROR(ApplyToRegistry(plan, redirected, call));
  ApplyToPopulation(plan);
  outcome.applied = true;
  outcome.measured_after = StructureEnergy(population_.Agents());
  const store::NewLedgerEntry entry{.scope = "cluster",
                                    .scope_id = std::string(EnumToString(request.op)),
                                    .task_id = "",
                                    .energy_before = outcome.measured_before,
                                    .energy_after = outcome.measured_after,
                                    .delta_e = outcome.measured_after - outcome.measured_before,
                                    .cost = plan.cost,
                                    .breakdown = {},
                                    .meta = {{"organ_id", request.organ_id}, {"forced", !outcome.accepted}}};
  if (auto booked = store_.ledger().Append(entry); !booked) {
    // The change is made; to answer with an error would say that it is not.
    log::Error("a change of structure is missing from the ledger", {{"error", ToString(booked.error())}});
  }
  return outcome;
}

}  // namespace seedcore::organism
