#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>

#include "base/json_binding.h"
#include "store/claim_rules.h"
#include "store/postgres/queue_store.h"
#include "store/postgres/task_claim.h"

namespace seedcore::store::postgres {
namespace {

// $1 types, $2 the most of each: limits are looked at task by task.
constexpr char kPartBatches[] = "SELECT seedcore_part_batches($1, $2)";
// $1 now, $2 the most of each type, $3 types. Each is locked when it is met; what somebody else has locked is passed
// over.
constexpr char kCandidates[] =
    "SELECT c.seq, c.type, c.concurrency_key FROM unnest($3::text[]) AS wanted (type) CROSS JOIN LATERAL "
    "(SELECT t.seq, t.type, t.concurrency_key, t.turn FROM "
    "(SELECT seq, turn FROM task_ready WHERE type = wanted.type ORDER BY turn, seq) r JOIN tasks t ON t.seq = r.seq "
    "WHERE t.runnable = 1 AND (t.deadline IS NULL OR t.deadline > $1) "
    "ORDER BY r.turn, r.seq LIMIT $2 FOR UPDATE OF t SKIP LOCKED) c ORDER BY c.turn, c.seq";
// $1 now, $2 owner, $3 lease end, $4 the types asked for, {''}: all, $5 the numbers of tasks that this transaction has
// locked
constexpr char kChooseThese[] = "SELECT seedcore_choose_these($1, $2, $3, $4, $5)";
constexpr char kLeavePlaces[] = "SELECT set_config('seedcore.keeps_places', 'off', true)";
constexpr char kPark[] = "UPDATE tasks SET runnable = 4 WHERE seq = ANY ($1::bigint[])";
constexpr char kRunnableTypes[] = SEEDCORE_PG_RUNNABLE_TYPES;
constexpr char kRunningOfTypes[] = "SELECT type, count(*) FROM seedcore_running($1::text[]) GROUP BY type";
// Whoever holds the lock on a key alone decides who of it runs. A claim never waits for one, so no circle of waiting
// can come about, in whatever order it meets its keys.
constexpr char kLockKeys[] =
    "SELECT k FROM unnest($1::text[]) AS wanted (k) WHERE pg_try_advisory_xact_lock(24302, hashtext(k))";
constexpr char kRunningOfKeys[] =
    "SELECT running_key, count(*) FROM tasks WHERE running_key = ANY ($1::text[]) GROUP BY running_key";
// $1 scope, $2 name, $3 tokens, $4 at
constexpr char kStoreTokens[] = "UPDATE queue_limit SET tokens = $3, tokens_at = $4 WHERE scope = $1 AND name = $2";

/// A claim while limits or pauses are in force. Types are looked at one by one, so that neither a paused type nor one
/// without room is in the way of the others; tasks whose key has no room are parked. Every statement sees what was
/// committed before it began: limits are locked first, and what runs is counted afterwards.
class LimitedClaim {
 public:
  LimitedClaim(WriteContext& context, const ClaimRequest& request) : context_(context), request_(request) {}

  Result<std::vector<TaskRow>> Run() {
    SEEDCORE_RETURN_IF_ERROR(Prepare());
    bool more = true;
    for (int round = 0; more && round < kMaxRounds; ++round) {
      SEEDCORE_ASSIGN_OR_RETURN(more, Round(round == 0 ? Wanted() : std::max(Wanted(), kBatchAfterParking)));
    }
    // There is more to park, or a key was in other hands: somebody shall look again at once.
    if (more || busy_) context_.notes.runnable.tasks = 1;
    for (const LimitState* state : admission_->Changed()) {
      SEEDCORE_RETURN_IF_ERROR(context_.db.Query(kStoreTokens, EnumToString(state->limit.scope), state->limit.name,
                                                 state->tokens, state->tokens_at));
    }
    return std::move(claimed_);
  }

 private:
  static constexpr int kMaxRounds = 8;
  static constexpr int kBatchAfterParking = 256;

  struct Candidate {
    std::int64_t seq = 0;
    std::string type;
    std::string key;
  };

  [[nodiscard]] int Wanted() const { return request_.limit - static_cast<int>(claimed_.size()); }

  Result<void> Prepare() {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<QueuePause> pauses, ReadPauses(context_.db));
    std::set<std::string> paused;
    for (const QueuePause& pause : pauses) paused.insert(pause.type);
    SEEDCORE_RETURN_IF_ERROR(UnparkByTime());
    types_ = std::set<std::string>(request_.types.begin(), request_.types.end());
    if (types_.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context_.db.Query(kRunnableTypes));
      for (int row = 0; row < rows.size(); ++row) types_.emplace(rows.Text(row, 0));
    }
    for (const std::string& type : request_.except) types_.erase(type);
    asked_ = TakesEveryType(request_) ? std::set<std::string>{""} : types_;
    std::erase_if(types_, [&](const std::string& type) { return paused.contains(type); });
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<LimitState> limits, LockLimits(context_.db, types_));
    admission_.emplace(std::move(limits), std::move(paused), context_.now);
    SEEDCORE_RETURN_IF_ERROR(CountRunning(LimitScope::kType, types_, kRunningOfTypes));
    return {};
  }

  /// What a rate holds back is let out by time; there is no event that would. Whether there is room is asked again once
  /// the limit is locked.
  Result<void> UnparkByTime() {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<LimitState> limits, ReadLimits(context_.db));
    for (const LimitState& state : limits) {
      if (state.limit.scope != LimitScope::kKey || !state.limit.rate) continue;
      const int room = std::min(RoomOf(state, 0, context_.now), kBatchAfterParking);
      SEEDCORE_RETURN_IF_ERROR(UnparkKey(context_, state.limit.name, room));
    }
    return {};
  }

  /// Tells the admission how many of `names` run, those that it has to know.
  Result<void> CountRunning(LimitScope scope, const std::set<std::string>& names, const char* sql) {
    Array wanted(Oid::kText);
    bool any = false;
    for (const std::string& name : names) {
      if (!admission_->NeedsRunning(scope, name)) continue;
      wanted.Add(name);
      any = true;
    }
    if (!any) return {};
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context_.db.Query(sql, wanted));
    for (int row = 0; row < rows.size(); ++row) {
      admission_->SetRunning(scope, std::string(rows.Text(row, 0)), rows.Int(row, 1));
    }
    for (const std::string& name : names) {
      if (admission_->NeedsRunning(scope, name)) admission_->SetRunning(scope, name, 0);
    }
    return {};
  }

  /// Returns whether there may be more.
  Result<bool> Round(int batch) {
    Array types(Oid::kText);
    bool any = false;
    for (const std::string& type : types_) {
      if (admission_->RoomFor(LimitScope::kType, type, 1) == 0) continue;
      types.Add(type);
      any = true;
    }
    if (!any || Wanted() == 0) return false;
    SEEDCORE_ASSIGN_OR_RETURN(const Rows parted, context_.db.Query(kPartBatches, types, batch));
    if (parted.Bool(0, 0)) busy_ = true;
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                              context_.db.Query(kCandidates, context_.now, std::int64_t{batch}, types));
    std::vector<Candidate> candidates;
    std::set<std::string> keys;
    for (int row = 0; row < rows.size(); ++row) {
      candidates.push_back({rows.Int(row, 0), std::string(rows.Text(row, 1)), std::string(rows.Text(row, 2))});
      if (admission_->NeedsRunning(LimitScope::kKey, candidates.back().key)) keys.insert(candidates.back().key);
    }
    SEEDCORE_RETURN_IF_ERROR(TakeKeys(keys));
    SEEDCORE_ASSIGN_OR_RETURN(const bool changed, Choose(candidates));
    return changed && rows.size() >= batch && Wanted() > 0;
  }

  /// Locks the keys that nobody else has, and counts what runs of them.
  Result<void> TakeKeys(const std::set<std::string>& keys) {
    if (keys.empty()) return {};
    Array wanted(Oid::kText);
    for (const std::string& key : keys) wanted.Add(key);
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context_.db.Query(kLockKeys, wanted));
    std::set<std::string> ours;
    for (int row = 0; row < rows.size(); ++row) ours.emplace(rows.Text(row, 0));
    if (ours.size() < keys.size()) busy_ = true;
    return CountRunning(LimitScope::kKey, ours, kRunningOfKeys);
  }

  /// Claims and parks. Returns whether it did anything.
  Result<bool> Choose(const std::vector<Candidate>& candidates) {
    Array claim(Oid::kInt8), park(Oid::kInt8);
    int claims = 0, parks = 0;
    for (const Candidate& candidate : candidates) {
      if (claims == Wanted()) break;
      if (admission_->RoomFor(LimitScope::kType, candidate.type, 1) == 0) continue;
      if (!candidate.key.empty()) {
        if (admission_->NeedsRunning(LimitScope::kKey, candidate.key)) continue;  // in other hands
        if (admission_->RoomFor(LimitScope::kKey, candidate.key, 1) == 0) {
          park.Add(candidate.seq);
          ++parks;
          continue;
        }
      }
      claim.Add(candidate.seq);
      ++claims;
      admission_->Begin(candidate.type, candidate.key);
    }
    if (parks > 0) SEEDCORE_RETURN_IF_ERROR(context_.db.Query(kPark, park));
    if (claims > 0) {
      const WallTime lease_end = context_.now + request_.lease;
      Array asked(Oid::kText);
      for (const std::string& type : asked_) asked.Add(type);
      const std::array<Call, 3> calls{
          Call{kChooseThese, MakeParams(context_.now, request_.owner_id, lease_end, asked, claim)},
          Call{kBeginChosen, MakeParams(context_.now, request_.owner_id, lease_end)}, Call{kLeavePlaces, {}}};
      SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context_.db.Pipeline(calls));
      for (TaskRow& row : ReadChosen(answers[1])) claimed_.push_back(std::move(row));
      context_.notes.appended_events = true;
    }
    return claims + parks > 0;
  }

  WriteContext& context_;
  const ClaimRequest& request_;
  std::optional<Admission> admission_;
  std::set<std::string> types_;  ///< to take
  std::set<std::string> asked_;  ///< what the claim is restricted to; {""}: to nothing
  std::vector<TaskRow> claimed_;
  bool busy_ = false;  ///< another transaction holds a key or a batch that we met
};

}  // namespace

Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request) {
  return LimitedClaim(context, request).Run();
}

}  // namespace seedcore::store::postgres
