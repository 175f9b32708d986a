#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "base/uuid.h"
#include "store/postgres/knowledge_writes.h"
#include "store/postgres/step_store.h"
#include "store/postgres/task_effects.h"
#include "store/postgres/task_locked.h"
#include "store/postgres/task_outcomes.h"
#include "store/postgres/task_snooze.h"
#include "store/postgres/task_store.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

/// An application that has stored something which depends on a task keeps its row until it commits, and results that
/// are written together with that of such a task wait with it. No longer than this, which commits of other processes
/// hardly ever take, even those on a slow disk; then they go on without it.
constexpr std::chrono::milliseconds kLockWait(500);
/// And for so long after somebody has kept a task no result waits for a task at all: each transaction first asks which
/// are locked. Longer than the pause before a result that was left alone is tried again.
constexpr std::chrono::seconds kWary(10);

bool IsSnoozed(const Finish& finish) { return std::holds_alternative<Snoozed>(finish.outcome); }

/// A null result is the same as none.
std::string ResultOf(const Finish& finish) {
  const json::value* result = nullptr;
  if (const auto* completed = std::get_if<Completed>(&finish.outcome)) result = &completed->result;
  if (const auto* failed = std::get_if<FailedForGood>(&finish.outcome)) result = &failed->result;
  return result == nullptr || result->is_null() ? std::string() : WriteJson(*result);
}

/// Whether it takes more than the one statement.
bool HasMore(const Finish& finish) {
  const auto* held = std::get_if<Held>(&finish.outcome);
  return !finish.steps.empty() || (held != nullptr && held->for_step) || !finish.effects.facts.empty() ||
         !finish.effects.ledger.empty() || !finish.effects.incidents.empty();
}

/// Writes the steps that come with an outcome. Returns whether the outcome is still to be written; if not, `answer`
/// says why. A lost lease is left to the outcome to find.
Result<bool> WriteItsSteps(WriteContext& context, const Finish& finish, Result<void>& answer) {
  if (finish.steps.empty()) return true;
  auto prepared = PrepareStepWrites(finish.steps);
  Result<void> written;
  if (prepared) {
    written = WriteStepsOf(context, finish.lease, *prepared);
  } else {
    written = std::unexpected(std::move(prepared.error()));
  }
  if (written) return true;
  switch (written.error().code) {
    case ErrorCode::kLeaseLost: return true;
    case ErrorCode::kConflict:
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kPayloadTooLarge:
    case ErrorCode::kResourceExhausted: answer = std::move(written); return false;
    default: return std::unexpected(std::move(written.error()));
  }
}

/// One caller's outcomes with snoozes among them. Those snoozes that are refused, or come once too often, go the way of
/// the others, as what they amount to.
Result<void> FinishWithSnoozes(WriteContext& context, FinishJob& job, std::chrono::milliseconds lock_wait) {
  std::vector<bool> done(job.finishes.size(), false);
  std::vector<const Finish*> snoozes;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < job.finishes.size(); ++i) {
    done[i] = job.left[i];
    if (done[i]) continue;
    SEEDCORE_ASSIGN_OR_RETURN(const bool goes_on, WriteItsSteps(context, job.finishes[i], job.answers[i]));
    done[i] = !goes_on;
    if (done[i] || !IsSnoozed(job.finishes[i]) || !IsUuid(job.finishes[i].lease.task_id)) continue;
    snoozes.push_back(&job.finishes[i]);
    places.push_back(i);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<SnoozeAnswer> snoozed, SnoozeTasks(context, snoozes));
  std::vector<Finish> rest(job.finishes.begin(), job.finishes.end());
  for (std::size_t i = 0; i < places.size(); ++i) {
    done[places[i]] = snoozed[i] == SnoozeAnswer::kSnoozed;
    Finish& finish = rest[places[i]];
    if (snoozed[i] == SnoozeAnswer::kEnough) {
      finish.outcome = FailedForGood{SnoozedTooLong(std::get<Snoozed>(snoozes[i]->outcome)), nullptr};
    } else {
      finish.outcome = HandedBack{};
    }
  }
  Outcomes outcomes;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (!done[i]) outcomes.Add(rest[i], job.results[i], job.answers[i]);
  }
  return outcomes.Write(context, lock_wait);
}

Result<void> FinishPlain(WriteContext& context, std::span<FinishJob* const> jobs, std::chrono::milliseconds lock_wait) {
  Outcomes outcomes;
  for (FinishJob* job : jobs) {
    for (std::size_t i = 0; i < job->finishes.size(); ++i) {
      if (job->left[i]) continue;
      SEEDCORE_ASSIGN_OR_RETURN(const bool goes_on, WriteItsSteps(context, job->finishes[i], job->answers[i]));
      if (goes_on) outcomes.Add(job->finishes[i], job->results[i], job->answers[i]);
    }
  }
  return outcomes.Write(context, lock_wait);
}

/// Locks what is free, and leaves the others of `jobs` alone. Returns how many those are.
Result<std::size_t> LeaveLocked(WriteContext& context, std::span<FinishJob* const> jobs) {
  std::vector<std::string> ids;
  std::vector<std::pair<FinishJob*, std::size_t>> of;
  for (FinishJob* job : jobs) {
    for (std::size_t i = 0; i < job->finishes.size(); ++i) {
      ids.push_back(job->finishes[i].lease.task_id);
      of.emplace_back(job, i);
    }
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<std::size_t> locked, LockWhatIsFree(context, ids));
  for (const std::size_t place : locked) {
    const auto& [job, i] = of[place];
    job->left[i] = true;
    job->answers[i] = std::unexpected(InOtherHands(ids[place]));
  }
  return locked.size();
}

/// What one try to write results came to.
struct Attempt {
  Result<void> done;
  bool blocked = false;  ///< it waited too long for a lock
  std::size_t left = 0;  ///< results that were left alone
};

enum class Locked { kWaitedFor, kLeft };

Attempt Try(Database& database, std::span<FinishJob* const> jobs, Locked locked, std::chrono::milliseconds lock_wait) {
  Attempt attempt;
  const auto write = [&](WriteContext& context) -> Result<void> {
    if (locked == Locked::kLeft) {
      SEEDCORE_ASSIGN_OR_RETURN(attempt.left, LeaveLocked(context, jobs));
    }
    FinishJob& first = *jobs.front();
    if (jobs.size() == 1 && std::ranges::any_of(first.finishes, IsSnoozed)) {
      return FinishWithSnoozes(context, first, lock_wait);
    }
    return FinishPlain(context, jobs, lock_wait);
  };
  const auto operation = [&](WriteContext& context) -> Result<void> {
    for (FinishJob* job : jobs) {
      job->answers.assign(job->finishes.size(), {});
      job->left.assign(job->finishes.size(), false);
    }
    Result<void> done = write(context);
    attempt.blocked = !done && context.db.LastErrorIsOfALock();
    return done;
  };
  const bool once = locked == Locked::kWaitedFor && jobs.front()->is_plain;
  attempt.done = once ? database.WriteOnce(operation) : database.Write(lock_wait, operation);
  return attempt;
}

/// One at a time, since something is locked that nobody has looked for. Waits a little for a few, and not at all for
/// the rest then.
void FinishEach(Database& database, FinishJob& job) {
  constexpr std::chrono::milliseconds kWait(50);
  constexpr int kMostWaits = 8;
  std::vector<Result<void>> answers;
  int waits = 0;
  for (std::size_t i = 0; i < job.finishes.size(); ++i) {
    FinishJob one{.finishes = job.finishes.subspan(i, 1), .results = {job.results[i]}};
    FinishJob* const alone = &one;
    Attempt attempt{.done = {}, .blocked = true};
    if (waits < kMostWaits) attempt = Try(database, {&alone, 1}, Locked::kLeft, kWait);
    waits += attempt.blocked ? 1 : 0;
    if (attempt.blocked) {
      answers.push_back(std::unexpected(InOtherHands(one.finishes.front().lease.task_id)));
    } else if (attempt.done) {
      answers.push_back(std::move(one.answers.front()));
    } else {
      // Others are written already, so the whole cannot fail any more.
      Error& error = attempt.done.error();
      if (IsRetryable(error.code)) error.code = ErrorCode::kUnavailable;
      answers.push_back(std::unexpected(std::move(error)));
    }
  }
  job.answers = std::move(answers);
  job.outcome = {};
}

}  // namespace

Result<void> WriteEffects(WriteContext& context, const std::string& task_id, const Effects& effects) {
  for (const NewFact& fact : effects.facts) {
    SEEDCORE_ASSIGN_OR_RETURN(const Fact added, InsertFact(context, fact));
    SEEDCORE_RETURN_IF_ERROR(LinkProducedFact(context, task_id, added.id));
  }
  for (const NewLedgerEntry& entry : effects.ledger) SEEDCORE_RETURN_IF_ERROR(InsertLedgerEntry(context, entry));
  for (const NewIncident& incident : effects.incidents) SEEDCORE_RETURN_IF_ERROR(InsertIncident(context, incident));
  return {};
}

Result<std::vector<Result<void>>> PostgresTaskStore::FinishTasks(std::span<const Finish> finishes) {
  if (finishes.empty()) return std::vector<Result<void>>();
  FinishJob job{.finishes = finishes, .results = {}, .answers = {}, .outcome = {}};
  constexpr std::size_t kRowBytes = 256;
  for (const Finish& finish : finishes) {
    job.weight += kRowBytes + job.results.emplace_back(ResultOf(finish)).size();
  }
  job.is_plain = !std::ranges::any_of(finishes, IsSnoozed) && !std::ranges::any_of(finishes, HasMore);
  if (job.is_plain) {
    SEEDCORE_RETURN_IF_ERROR(finishes_.Run(job, [this](std::span<FinishJob* const> jobs) { FinishJobs(jobs); }));
  } else {
    FinishJob* const alone = &job;
    FinishJobs({&alone, 1});
  }
  if (!job.outcome) return std::unexpected(std::move(job.outcome.error()));
  return std::move(job.answers);
}

Result<void> PostgresTaskStore::FinishTogether(std::span<FinishJob* const> jobs, bool& blocked) {
  const std::chrono::milliseconds longest = database_.lock_timeout();
  const std::chrono::milliseconds wait = longest.count() > 0 ? std::min(longest, kLockWait) : kLockWait;
  Attempt attempt;
  const bool wary = wary_until_.load() > env_.Now();
  if (!wary) attempt = Try(database_, jobs, Locked::kWaitedFor, wait);
  if (wary || attempt.blocked) {
    const bool found = attempt.blocked;
    attempt = Try(database_, jobs, Locked::kLeft, wait);
    if (found || attempt.blocked || attempt.left > 0) wary_until_ = env_.Now() + kWary;
  }
  blocked = attempt.blocked;
  return std::move(attempt.done);
}

void PostgresTaskStore::FinishJobs(std::span<FinishJob* const> jobs) {
  bool blocked = false;
  const Result<void> together = FinishTogether(jobs, blocked);
  for (FinishJob* job : jobs) {
    job->outcome = together;
    // One caller's result that cannot be stored must not fail the others. Other errors would only come again.
    const bool fault_of_one = !together && !IsRetryable(together.error().code) && jobs.size() > 1;
    bool alone_blocked = blocked;
    if (fault_of_one) job->outcome = FinishTogether(std::span<FinishJob* const>(&job, 1), alone_blocked);
    if (alone_blocked) FinishEach(database_, *job);
  }
}

}  // namespace seedcore::store::postgres
