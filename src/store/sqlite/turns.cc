#include "store/sqlite/turns.h"

#include <algorithm>

#include "store/turn.h"

namespace seedcore::store::sqlite {
namespace {

// ?1 type
constexpr char kClock[] = "SELECT coalesce(max(turn), 0) FROM queue_clock WHERE type IN ('', ?1)";
constexpr char kLastTurn[] = "SELECT last_turn FROM queue_flow WHERE type = ?1 AND domain = ?2 AND priority = ?3";
constexpr char kStoreTurn[] =
    "INSERT INTO queue_flow (type, domain, priority, last_turn) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (type, domain, priority) DO UPDATE SET last_turn = excluded.last_turn";

// ?1 kTurn, ?2 kPriorityStep, ?3 at most
constexpr char kForgetFlows[] =
    "DELETE FROM queue_flow WHERE (type, domain, priority) IN (SELECT f.type, f.domain, f.priority FROM queue_flow f "
    "WHERE f.last_turn + ?1 <= (10 - f.priority) * ?2 + "
    "(SELECT coalesce(max(c.turn), 0) FROM queue_clock c WHERE c.type IN ('', f.type)) LIMIT ?3)";
// ?1 kTurn, ?2 at most
constexpr char kForgetClocks[] =
    "DELETE FROM queue_clock WHERE type IN (SELECT c.type FROM queue_clock c WHERE c.type <> '' AND "
    "c.turn + ?1 <= (SELECT a.turn FROM queue_clock a WHERE a.type = '') LIMIT ?2)";

}  // namespace

Result<std::int64_t> Turns::Take(const std::string& type, const std::string& domain, int priority) {
  if (const auto known = last_.find({type, domain, priority}); known != last_.end()) return known->second += kTurn;
  std::int64_t turn = PriorityDelay(priority);
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context_.db.Query(kClock, type));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    if (found) turn += row.Int(0);
  }
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context_.db.Query(kLastTurn, type, domain, priority));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (found) turn = std::max(turn, row.Int(0) + kTurn);
  last_.emplace(Flow(type, domain, priority), turn);
  return turn;
}

Result<void> Turns::Store() {
  for (const auto& [flow, turn] : last_) {
    const auto& [type, domain, priority] = flow;
    SEEDCORE_RETURN_IF_ERROR(context_.db.Execute(kStoreTurn, type, domain, priority, turn));
  }
  return {};
}

Result<void> ForgetFlows(WriteContext& context) {
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForgetFlows, kTurn, kPriorityStep, kMostFlowsForgotten));
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForgetClocks, kTurn, kMostFlowsForgotten));
  return {};
}

}  // namespace seedcore::store::sqlite
