#include "store/postgres/task_outcomes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/uuid.h"
#include "store/postgres/step_store.h"
#include "store/postgres/task_effects.h"
#include "store/postgres/task_history.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

// Each sets how long it waits for a lock, before anything else and at no cost that could be measured.
constexpr char kFinish[] =
    "SELECT number, outcome, detail FROM seedcore_finish(CASE WHEN set_config('lock_timeout', $12, true) <> '' THEN "
    "$1::timestamptz END, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

// Of at most kMostInBatch tasks
constexpr char kComplete[] =
    "SELECT number, outcome, detail FROM seedcore_complete(CASE WHEN set_config('lock_timeout', $5, true) <> '' THEN "
    "$1::timestamptz END, $2, $3, $4)";

/// As seedcore_finish counts them.
enum class OutcomeNumber { kCompleted = 0, kRetry = 1, kFailed = 2, kHeld = 3, kHandedBack = 4 };

/// What seedcore_finish takes of each outcome.
struct Details {
  WallTime now;
  Array outcomes{Oid::kInt4}, errors{Oid::kText}, codes{Oid::kText}, run_after{Oid::kTimestamptz};

  void Add(const Completed&) { Add(OutcomeNumber::kCompleted, nullptr, {}, {}); }
  void Add(const RetryLater& outcome) {
    const auto delay = std::max(outcome.delay, std::chrono::milliseconds(0));
    Add(OutcomeNumber::kRetry, &outcome.error, {}, now + delay);
  }
  void Add(const FailedForGood& outcome) { Add(OutcomeNumber::kFailed, &outcome.error, {}, {}); }
  void Add(const Held& outcome) { Add(OutcomeNumber::kHeld, nullptr, outcome.reason, {}); }
  void Add(const HandedBack&) { Add(OutcomeNumber::kHandedBack, nullptr, {}, {}); }
  // Of no known task.
  void Add(const Snoozed&) { Add(OutcomeNumber::kHandedBack, nullptr, {}, {}); }

 private:
  void Add(OutcomeNumber outcome, const Error* error, std::string_view reason, std::optional<WallTime> at) {
    outcomes.Add(static_cast<int>(outcome));
    errors.Add(error != nullptr ? std::string_view(error->message) : reason);
    codes.Add(error != nullptr ? ToString(error->code) : std::string_view());
    run_after.Add(at);
  }
};

/// Completions at the first attempt of one owner share rows of history, see schema/history.cc.
struct Batches {
  struct Newest {
    int tasks = 0;
    int batch = 0;
  };
  std::map<std::string_view, Newest> by_owner;
  int count = 0;

  int Next(std::string_view owner) {
    Newest& newest = by_owner[owner];
    if (newest.tasks++ % kMostInBatch == 0) newest.batch = ++count;
    return newest.batch;
  }
};

bool IsFirstCompletion(const Finish& finish) {
  return std::holds_alternative<Completed>(finish.outcome) && finish.lease.fencing_token == 1;
}

/// Whether seedcore_complete takes them. Puts them in the order of their ids then.
bool AreAlike(std::vector<Outcome>& given) {
  if (given.size() > kMostInBatch) return false;
  const std::string& owner = given.front().finish->lease.owner_id;
  const bool alike = std::ranges::all_of(
      given, [&](const Outcome& one) { return IsFirstCompletion(*one.finish) && one.finish->lease.owner_id == owner; });
  if (!alike) return false;
  const auto id = [](const Outcome& one) -> const std::string& { return one.finish->lease.task_id; };
  std::ranges::sort(given, {}, id);
  return std::ranges::adjacent_find(given, {}, id) == given.end();
}

Call ToComplete(std::span<const Outcome> given, WallTime now, const std::string& wait) {
  Array ids(Oid::kUuid), results(Oid::kJson);
  bool has_results = false;
  for (const Outcome& one : given) {
    ids.Add(Uuid{one.finish->lease.task_id});
    results.Add(NullIfEmpty(*one.result));
    has_results = has_results || !one.result->empty();
  }
  return {kComplete, MakeParams(now, given.front().finish->lease.owner_id, ids,
                                has_results ? std::optional(results) : std::nullopt, wait)};
}

Call ToFinish(std::span<const Outcome> given, WallTime now, const std::string& wait) {
  Array ids(Oid::kUuid), owners(Oid::kText), tokens(Oid::kInt8), results(Oid::kJson), parts(Oid::kInt4);
  Details details{now};
  Batches batches;
  for (const auto& [finish, result, answer] : given) {
    const Lease& lease = finish->lease;
    ids.Add(Uuid{lease.task_id});
    owners.Add(lease.owner_id);
    tokens.Add(lease.fencing_token);
    results.Add(NullIfEmpty(*result));
    parts.Add(IsFirstCompletion(*finish) ? std::optional(batches.Next(lease.owner_id)) : std::nullopt);
    std::visit([&](const auto& outcome) { details.Add(outcome); }, finish->outcome);
  }
  return {kFinish, MakeParams(now, ids, owners, tokens, details.outcomes, details.errors, details.codes,
                              details.run_after, results, parts, batches.count, wait)};
}

Result<void> AllCompleted(WriteContext& context, std::span<const Outcome> given) {
  for (const Outcome& one : given) {
    *one.answer = {};
    SEEDCORE_RETURN_IF_ERROR(WriteEffects(context, one.finish->lease.task_id, one.finish->effects));
  }
  return {};
}

/// Whether it can be claimed again at once.
bool IsQueuedAgain(std::string_view outcome, const Finish& finish) {
  const auto* retry = std::get_if<RetryLater>(&finish.outcome);
  return outcome == "queued" || (outcome == "retry" && retry != nullptr && retry->delay.count() <= 0);
}

}  // namespace

void Outcomes::Add(const Finish& finish, const std::string& result, Result<void>& answer) {
  const std::string& id = finish.lease.task_id;
  if (!IsUuid(id)) {
    answer = Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", id));
    return;
  }
  given_.push_back({&finish, &result, &answer});
}

Result<void> Outcomes::Write(WriteContext& context, std::chrono::milliseconds lock_wait) {
  if (given_.empty()) return {};
  // From here on they stay in the places that the statement knows them by.
  const std::string wait = fmt::format("{}ms", lock_wait.count());
  const Call call = AreAlike(given_) ? ToComplete(given_, context.now, wait) : ToFinish(given_, context.now, wait);
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Run(call.sql, call.params));
  context.notes.appended_events = true;
  bool lets_others_run = false;
  std::vector<bool> ended(given_.size(), false);
  for (int row = 0; row < rows.size(); ++row) {
    const std::int64_t number = rows.Int(row, 0);
    const std::string_view outcome = rows.Text(row, 1);
    if (number == 0) {
      if (outcome == "runnable") {
        lets_others_run = true;
      } else {
        ended.assign(given_.size(), true);
        SEEDCORE_RETURN_IF_ERROR(AllCompleted(context, given_));
      }
      continue;
    }
    const auto place = static_cast<std::size_t>(number) - 1;
    const std::string& task_id = given_[place].finish->lease.task_id;
    if (outcome == "unknown") {
      *given_[place].answer = Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", task_id));
    } else if (outcome == "lease_lost") {
      ++context.notes.lease_lost;
      *given_[place].answer = Fail(ErrorCode::kLeaseLost, std::string(rows.Text(row, 2)));
    } else {
      *given_[place].answer = {};
      const bool has_ended = outcome == "completed" || outcome == "failed";
      if (has_ended) SEEDCORE_RETURN_IF_ERROR(WriteEffects(context, task_id, given_[place].finish->effects));
      if (const auto* held = std::get_if<Held>(&given_[place].finish->outcome); held != nullptr && held->for_step) {
        SEEDCORE_RETURN_IF_ERROR(AfterHold(context, task_id));
      }
      if (IsQueuedAgain(outcome, *given_[place].finish)) {
        ++context.notes.runnable.tasks;
      } else {
        ended[place] = true;
        if (outcome == "retry") context.notes.runnable.later = true;
      }
    }
  }
  for (std::size_t place = 0; lets_others_run && place < ended.size(); ++place) {
    if (ended[place]) context.notes.runnable.ended.push_back(given_[place].finish->lease.task_id);
  }
  return {};
}

}  // namespace seedcore::store::postgres
