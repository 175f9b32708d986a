#include "service/organism_messages.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxTypeBytes = 128;

}  // namespace

Result<void> OrganTask::Validate() const {
  if (Trim(type).empty()) return Fail(ErrorCode::kInvalidArgument, "must not be empty", "type");
  if (type.size() > kMaxTypeBytes) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("longer than {} bytes", kMaxTypeBytes), "type");
  }
  if (priority < 1 || priority > 10) return Fail(ErrorCode::kInvalidArgument, "expected 1 to 10", "priority");
  if (!(drift_score >= 0.0)) return Fail(ErrorCode::kInvalidArgument, "expected 0 or more", "drift_score");
  if (!(required_capability >= 0.0 && required_capability <= 1.0)) {
    return Fail(ErrorCode::kInvalidArgument, "expected 0 to 1", "required_capability");
  }
  if (attempt < 1) return Fail(ErrorCode::kInvalidArgument, "expected 1 or more", "attempt");
  return {};
}

Error ExecuteReply::VerdictError() const {
  return {ErrorCodeFromString(error_code), error.value_or("the agent gave no reason"), error_path};
}

store::Effects TaskEffects::ToStore() const {
  store::Effects out;
  for (const FactEffect& fact : facts) out.facts.push_back({fact.text, fact.tags, fact.meta_data});
  for (const LedgerEffect& entry : ledger) {
    out.ledger.push_back({entry.scope, entry.scope_id, entry.task_id, entry.energy_before, entry.energy_after,
                          entry.delta_e, entry.cost, entry.breakdown, entry.meta});
  }
  for (const IncidentEffect& incident : incidents)
    out.incidents.push_back({incident.salience_score, incident.event_data});
  return out;
}

}  // namespace seedcore::service
