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

}  // namespace seedcore::store::sqlite
