#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "base/json_binding.h"
#include "store/sqlite/queue_store.h"
#include "store/sqlite/task_claim.h"

namespace seedcore::store::sqlite {
namespace {

// The index holds running tasks alone; the one by type would count through all that have ended.
constexpr char kRunningOfType[] =
    "SELECT count(*) FROM tasks INDEXED BY idx_tasks_lease_expires_at WHERE status = 'running' AND type = ?1";
constexpr char kPark[] = "UPDATE tasks SET runnable = 4 WHERE seq = ?1";
// ?1 scope, ?2 name, ?3 tokens, ?4 at
constexpr char kStoreTokens[] = "UPDATE queue_limit SET tokens = ?3, tokens_at = ?4 WHERE scope = ?1 AND name = ?2";

/// A claim while limits or pauses are in force. Types are looked at one by one, so that neither a paused type nor one
/// without room is in the way of the others; tasks whose key has no room are parked.
class LimitedClaim {
 public:
  LimitedClaim(WriteContext& context, const ClaimRequest& request) : context_(context), request_(request) {}

  Result<std::vector<TaskRow>> Run() {
    SEEDCORE_RETURN_IF_ERROR(Prepare());
    bool more = true;
    for (int round = 0; more && round < kMaxClaimRounds; ++round) {
      SEEDCORE_ASSIGN_OR_RETURN(more, Round(round == 0 ? Wanted() : std::max(Wanted(), kBatchAfterParking)));
    }
    // There is more to park or to claim: somebody shall look again at once.
    if (more) context_.notes.made_runnable = true;
    for (const LimitState* state : admission_->Changed()) {
      SEEDCORE_RETURN_IF_ERROR(context_.db.Execute(kStoreTokens, EnumToString(state->limit.scope), state->limit.name,
                                                   state->tokens, state->tokens_at));
    }
    return std::move(claimed_);
  }

 private:
  static constexpr int kBatchAfterParking = 256;

  [[nodiscard]] int Wanted() const { return request_.limit - static_cast<int>(claimed_.size()); }

  Result<void> Prepare() {
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<LimitState> limits, ReadLimits(context_.db));
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<QueuePause> pauses, ReadPauses(context_.db));
    std::set<std::string> paused;
    for (const QueuePause& pause : pauses) paused.insert(pause.type);
    admission_.emplace(std::move(limits), std::move(paused), context_.now);
    // What a rate holds back is let out by time; there is no event that would.
    for (const LimitState& state : admission_->limits()) {
      if (state.limit.scope != LimitScope::kKey || !state.limit.rate) continue;
      SEEDCORE_ASSIGN_OR_RETURN(const int room, RoomOfKey(state.limit.name));
      SEEDCORE_RETURN_IF_ERROR(UnparkKey(context_, state.limit.name, std::min(room, kBatchAfterParking)));
    }
    types_ = std::set<std::string>(request_.types.begin(), request_.types.end());
    if (types_.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(types_, RunnableTypes(context_.db));
    }
    std::erase_if(types_, [&](const std::string& type) { return admission_->IsPaused(type); });
    for (const std::string& type : types_) {
      if (!admission_->NeedsRunning(LimitScope::kType, type)) continue;
      SEEDCORE_ASSIGN_OR_RETURN(Statement row, context_.db.Query(kRunningOfType, type));
      SEEDCORE_RETURN_IF_ERROR(row.Next());
      admission_->SetRunning(LimitScope::kType, type, row.Int(0));
    }
    return {};
  }

  Result<int> RoomOfKey(const std::string& key) {
    if (admission_->NeedsRunning(LimitScope::kKey, key)) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t running, RunningOfKey(context_.db, key));
      admission_->SetRunning(LimitScope::kKey, key, running);
    }
    return admission_->RoomFor(LimitScope::kKey, key, std::numeric_limits<int>::max());
  }

  /// Returns whether there may be more.
  Result<bool> Round(int batch) {
    std::vector<TaskRow> candidates;
    bool more = false;
    for (const std::string& type : types_) {
      const int room = std::min(admission_->RoomFor(LimitScope::kType, type, Wanted()), Wanted());
      if (room == 0) continue;
      const std::size_t before = candidates.size();
      SEEDCORE_RETURN_IF_ERROR(CandidatesOfType(context_.db, type, batch, candidates));
      if (candidates.size() - before == static_cast<std::size_t>(batch)) more = true;
    }
    std::ranges::sort(candidates, ClaimedBefore);
    for (TaskRow& row : candidates) {
      if (Wanted() == 0) return false;
      SEEDCORE_RETURN_IF_ERROR(Consider(row));
    }
    return more && Wanted() > 0;
  }

  Result<void> Consider(TaskRow& row) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool late, FailIfLate(context_, row));
    if (late || admission_->RoomFor(LimitScope::kType, row.task.type, 1) == 0) return {};
    const std::string key = row.task.concurrency_key;
    if (!key.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(const int room, RoomOfKey(key));
      if (room == 0) {
        SEEDCORE_RETURN_IF_ERROR(context_.db.Execute(kPark, row.seq));
        return {};
      }
    }
    SEEDCORE_RETURN_IF_ERROR(ClaimAll(context_, request_, {&row, 1}));
    admission_->Begin(row.task.type, key);
    claimed_.push_back(std::move(row));
    return {};
  }

  WriteContext& context_;
  const ClaimRequest& request_;
  std::optional<Admission> admission_;
  std::set<std::string> types_;
  std::vector<TaskRow> claimed_;
};

}  // namespace

Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request) {
  return LimitedClaim(context, request).Run();
}

}  // namespace seedcore::store::sqlite
