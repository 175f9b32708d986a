#include "service/energy_ledger.h"

namespace seedcore::service {

Result<void> LedgerQuery::Validate() const {
  constexpr int kMost = 1000;
  if (limit >= 1 && limit <= kMost) return {};
  return Fail(ErrorCode::kInvalidArgument, "expected 1 to 1000", "limit");
}

LedgerReply ToReply(std::vector<store::LedgerEntry> entries) {
  LedgerReply reply;
  reply.entries.reserve(entries.size());
  for (store::LedgerEntry& entry : entries) {
    reply.entries.push_back({.tx_id = std::move(entry.tx_id),
                             .at = entry.at,
                             .scope = std::move(entry.scope),
                             .scope_id = std::move(entry.scope_id),
                             .task_id = std::move(entry.task_id),
                             .energy_before = entry.energy_before,
                             .energy_after = entry.energy_after,
                             .delta_e = entry.delta_e,
                             .cost = entry.cost,
                             .balance_after = entry.balance_after,
                             .breakdown = std::move(entry.breakdown),
                             .meta = std::move(entry.meta)});
  }
  return reply;
}

}  // namespace seedcore::service
