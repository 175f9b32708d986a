#include "store/postgres/task_locked.h"

#include <fmt/format.h>

#include "base/uuid.h"

namespace seedcore::store::postgres {
namespace {

// $1 ids. What a failure fails farther away is not looked at: of that there is seldom any. The LATERALs with a LIMIT
// are looked up one at a time, see schema/control.cc.
constexpr char kLockWhatIsFree[] =
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, number) ORDER BY g.id), "
    "own AS MATERIALIZED (SELECT g.number, t.id FROM given g CROSS JOIN LATERAL ("
    "SELECT o.id FROM tasks o WHERE o.id = g.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) t), "
    "edges AS MATERIALIZED (SELECT o.number, d.src_task_id AS dependant FROM own o CROSS JOIN LATERAL ("
    "SELECT e.src_task_id FROM task_depends_on_task e WHERE e.dst_task_id = o.id OFFSET 0) d), "
    "dependants AS MATERIALIZED (SELECT t.id FROM (SELECT DISTINCT dependant FROM edges ORDER BY 1) e "
    "CROSS JOIN LATERAL (SELECT w.id FROM tasks w WHERE w.id = e.dependant "
    "AND CASE WHEN w.finished_at IS NULL THEN true ELSE false END LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) t) "
    "SELECT g.number FROM given g WHERE g.number NOT IN (SELECT number FROM own) "
    "AND EXISTS (SELECT FROM tasks t WHERE t.id = g.id) "
    "UNION SELECT e.number FROM edges e WHERE e.dependant NOT IN (SELECT id FROM dependants) "
    "AND EXISTS (SELECT FROM tasks t WHERE t.id = e.dependant AND t.finished_at IS NULL)";

}  // namespace

Result<std::vector<std::size_t>> LockWhatIsFree(WriteContext& context, std::span<const std::string> ids) {
  Array sent(Oid::kUuid);
  std::vector<std::size_t> places;  // of what is sent, among what is given
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!IsUuid(ids[i])) continue;
    places.push_back(i);
    sent.Add(Uuid{ids[i]});
  }
  std::vector<std::size_t> locked;
  if (places.empty()) return locked;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kLockWhatIsFree, sent));
  for (int row = 0; row < rows.size(); ++row) {
    locked.push_back(places[static_cast<std::size_t>(rows.Int(row, 0)) - 1]);
  }
  return locked;
}

Error InOtherHands(std::string_view task_id) {
  return {
      ErrorCode::kUnavailable,
      fmt::format("another transaction has task {}, or one that depends on it, in its hands; nothing of this result "
                  "is stored, try again",
                  task_id),
      {}};
}

}  // namespace seedcore::store::postgres
