#include "service/organ.h"

#include <utility>

#include <fmt/format.h>

#include "service/organism_views.h"

namespace seedcore::service {
namespace {

organism::Vitals FromWire(OrganismVitals vitals) {
  return {.initialized = vitals.initialized,
          .organs = vitals.organs,
          .agents = vitals.agents,
          .running_tasks = vitals.running_tasks,
          .free_slots = vitals.free_slots,
          .problems = std::move(vitals.problems)};
}

}  // namespace

Result<OrganWorkDone> OrganService::Execute(const OrganWork& work, const CallContext& call) {
  if (work.organ_id != organ_id_) {
    return Fail(ErrorCode::kNotFound, fmt::format("{} works for {}, not for {}", host_, organ_id_, work.organ_id),
                "organ_id");
  }
  SEEDCORE_ASSIGN_OR_RETURN(const auto executor, executors_.Find(work.task.type));
  {
    const std::scoped_lock lock(mutex_);
    vitals_ = FromWire(work.organism);
  }
  CallContext derived = call;
  derived.task_id = work.task.id;
  if (!work.task.idempotency_key.empty()) derived.idempotency_key = work.task.idempotency_key;
  ++running_;
  organism::ExecutionResult outcome = organism::RunExecutor(*executor, ToSpec(work.task), derived, env_);
  --running_;
  ++executed_;
  OrganWorkDone done{.host = host_,
                     .success = outcome.success,
                     .result = std::move(outcome.result),
                     .error = {},
                     .error_code = {},
                     .error_path = {},
                     .quality = outcome.quality,
                     .mem_hits = outcome.mem_hits,
                     .effects = ToTaskEffects(std::move(outcome.effects))};
  if (outcome.error) {
    done.error = std::move(outcome.error->message);
    done.error_code = ToString(outcome.error->code);
    done.error_path = std::move(outcome.error->path);
  }
  return done;
}

Result<OrganHostHealth> OrganService::Health(const Empty&, const CallContext&) {
  return OrganHostHealth{
      .status = "healthy", .organ_id = organ_id_, .host = host_, .running = running_, .executed = executed_};
}

organism::Vitals OrganService::vitals() const {
  const std::scoped_lock lock(mutex_);
  return vitals_;
}

OperationTable<OrganService> OrganOperations() {
  using S = OrganService;
  return {"/organ",
          "Host of an organ",
          {Post<&S::Execute>("/execute", "Does the work of an agent"),
           Get<&S::Health>("/health", "Whether work is done here, and how much")},
          {}};
}

OrganWork WorkOf(const std::string& organ_id, const std::string& agent_id, const organism::TaskSpec& task,
                 organism::Vitals vitals, const CallContext& call) {
  return {.organ_id = organ_id,
          .agent_id = agent_id,
          .task = {.id = task.id,
                   .type = task.type,
                   .description = task.description,
                   .domain = task.domain,
                   .params = task.params,
                   .priority = task.priority,
                   .drift_score = task.drift_score,
                   .required_capability = task.required_capability,
                   .agent_id = task.agent_id,
                   .idempotency_key = call.idempotency_key,
                   .attempt = task.attempt,
                   .evidence = task.evidence},
          .organism = {.initialized = vitals.initialized,
                       .organs = vitals.organs,
                       .agents = vitals.agents,
                       .running_tasks = vitals.running_tasks,
                       .free_slots = vitals.free_slots,
                       .problems = std::move(vitals.problems)}};
}

organism::ExecutionResult ResultOf(OrganWorkDone done) {
  organism::ExecutionResult result{.success = done.success,
                                   .result = std::move(done.result),
                                   .error = {},
                                   .quality = done.quality,
                                   .mem_hits = done.mem_hits,
                                   .effects = done.effects.ToStore()};
  if (!done.success) {
    result.error = Error{ErrorCodeFromString(done.error_code), std::move(done.error), std::move(done.error_path)};
  }
  return result;
}

}  // namespace seedcore::service
