#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/json_binding.h"
#include "store/sqlite/task_effects.h"
#include "store/sqlite/task_finish.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {
namespace {

// What most tasks end with, in one statement for many of them: to begin one costs more than to change a row. ?1 ids as
// JSON.
constexpr char kFindAll[] =
    "SELECT j.key, t.seq, t.fencing_token FROM json_each(?1) j CROSS JOIN tasks t ON t.id = j.value "
    "WHERE t.status = 'running' AND t.owner_id = ?2";
// ?1 numbers as JSON, ?2 now
constexpr char kCompleteAll[] =
    "UPDATE tasks SET status = 'completed', finished_at = ?2, updated_at = ?2, error = NULL, error_code = NULL, "
    "lease_expires_at = NULL, owner_id = NULL WHERE seq IN (SELECT value FROM json_each(?1))";
// ?3 owner
constexpr char kCompletedEvents[] =
    "INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id) "
    "SELECT t.seq, ?2, 'completed', t.status, t.attempts, t.fencing_token, ?3 "
    "FROM json_each(?1) j CROSS JOIN tasks t ON t.seq = j.value";

constexpr char kStoreResult[] = "INSERT OR REPLACE INTO task_result (seq, result) VALUES (?1, ?2)";

/// The numbers of the tasks whose lease is held; 0 for the others.
Result<std::vector<std::int64_t>> FindHeld(WriteContext& context, std::span<const PreparedFinish> prepared) {
  json::array ids;
  for (const PreparedFinish& one : prepared) ids.emplace_back(one.finish->lease.task_id);
  std::vector<std::int64_t> held(prepared.size());
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows,
                            context.db.Query(kFindAll, WriteJson(ids), prepared.front().finish->lease.owner_id));
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return held;
    const auto place = static_cast<std::size_t>(rows.Int(0));
    if (rows.Int(2) == prepared[place].finish->lease.fencing_token) held[place] = rows.Int(1);
  }
}

}  // namespace

Result<void> StoreResult(WriteContext& context, std::int64_t seq, const std::string& result) {
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kStoreResult, seq, result));
  return {};
}

std::span<const PreparedFinish> PlainCompletions(std::span<const PreparedFinish> prepared) {
  std::unordered_set<std::string_view> ids;
  std::size_t n = 0;
  while (n < prepared.size() && prepared[n].IsPlain(prepared.front().finish->lease.owner_id) &&
         ids.insert(prepared[n].finish->lease.task_id).second) {
    ++n;
  }
  return prepared.first(n);
}

Result<std::vector<Result<void>>> CompleteAll(WriteContext& context, std::span<const PreparedFinish> prepared) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> held, FindHeld(context, prepared));
  std::vector<std::int64_t> seqs = held;
  std::erase(seqs, 0);
  if (!seqs.empty()) {
    const std::string named = JsonOfSeqs(seqs);
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kCompleteAll, named, context.now));
    SEEDCORE_RETURN_IF_ERROR(
        context.db.Execute(kCompletedEvents, named, context.now, prepared.front().finish->lease.owner_id));
    context.notes.appended_events = true;
  }
  SEEDCORE_ASSIGN_OR_RETURN(const bool has_dependants, AnyDependsOnAnother(context));
  std::vector<Result<void>> out;
  out.reserve(prepared.size());
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    if (held[i] == 0) {
      SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), FinishOne(context, prepared[i]));
      continue;
    }
    const Finish& finish = *prepared[i].finish;
    context.notes.Moved(TaskStatus::kRunning, TaskStatus::kCompleted);
    if (!prepared[i].result.empty()) {
      SEEDCORE_RETURN_IF_ERROR(StoreResult(context, held[i], prepared[i].result));
    }
    SEEDCORE_RETURN_IF_ERROR(WriteEffects(context, finish.lease.task_id, finish.effects));
    if (has_dependants) SEEDCORE_RETURN_IF_ERROR(ReleaseDependants(context, finish.lease.task_id));
    out.emplace_back();
  }
  return out;
}

}  // namespace seedcore::store::sqlite
