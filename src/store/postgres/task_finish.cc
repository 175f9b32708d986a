#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "base/uuid.h"
#include "store/postgres/knowledge_writes.h"
#include "store/postgres/step_store.h"
#include "store/postgres/task_effects.h"
#include "store/postgres/task_snooze.h"
#include "store/postgres/task_store.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kFinish[] = "SELECT number, outcome, detail FROM seedcore_finish($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// As seedcore_finish counts them.
enum class OutcomeNumber { kCompleted = 0, kRetry = 1, kFailed = 2, kHeld = 3, kHandedBack = 4 };

/// The arguments of seedcore_finish, and where the answer to each element goes.
class FinishColumns {
 public:
  explicit FinishColumns(WallTime now) : now_(now) {}

  void Add(const Finish& finish, const std::string& result, Result<void>& answer) {
    const Lease& lease = finish.lease;
    if (!IsUuid(lease.task_id)) {
      answer = Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", lease.task_id));
      return;
    }
    answers_.push_back(&answer);
    given_.push_back(&finish);
    ids_.Add(Uuid{lease.task_id});
    owners_.Add(lease.owner_id);
    tokens_.Add(lease.fencing_token);
    results_.Add(NullIfEmpty(result));
    std::visit([this](const auto& outcome) { AddOutcome(outcome); }, finish.outcome);
  }

  [[nodiscard]] bool empty() const { return given_.empty(); }
  [[nodiscard]] std::size_t size() const { return given_.size(); }
  [[nodiscard]] const Finish& given(std::size_t i) const { return *given_[i]; }
  [[nodiscard]] Result<void>& answer(std::size_t i) { return *answers_[i]; }
  [[nodiscard]] Params ToParams() const {
    return MakeParams(now_, ids_, owners_, tokens_, outcomes_, errors_, codes_, run_after_, results_);
  }

 private:
  void AddOutcome(const Completed&) { Add(OutcomeNumber::kCompleted, nullptr, {}, {}); }
  void AddOutcome(const RetryLater& outcome) {
    const auto delay = std::max(outcome.delay, std::chrono::milliseconds(0));
    Add(OutcomeNumber::kRetry, &outcome.error, {}, now_ + delay);
  }
  void AddOutcome(const FailedForGood& outcome) { Add(OutcomeNumber::kFailed, &outcome.error, {}, {}); }
  void AddOutcome(const Held& outcome) { Add(OutcomeNumber::kHeld, nullptr, outcome.reason, {}); }
  void AddOutcome(const HandedBack&) { Add(OutcomeNumber::kHandedBack, nullptr, {}, {}); }
  void AddOutcome(const Snoozed&) { Add(OutcomeNumber::kHandedBack, nullptr, {}, {}); }  // of no known task

  void Add(OutcomeNumber outcome, const Error* error, std::string_view reason, std::optional<WallTime> run_after) {
    outcomes_.Add(static_cast<int>(outcome));
    errors_.Add(error != nullptr ? std::string_view(error->message) : reason);
    codes_.Add(error != nullptr ? ToString(error->code) : std::string_view());
    run_after_.Add(run_after);
  }

  WallTime now_;
  std::vector<const Finish*> given_;
  std::vector<Result<void>*> answers_;
  Array ids_{Oid::kUuid}, owners_{Oid::kText}, tokens_{Oid::kInt8}, outcomes_{Oid::kInt4}, errors_{Oid::kText};
  Array codes_{Oid::kText}, run_after_{Oid::kTimestamptz}, results_{Oid::kJson};
};

/// Sends them, and puts the answers and, for tasks that ended, their effects in place.
Result<void> FinishAll(WriteContext& context, FinishColumns& columns) {
  if (columns.empty()) return {};
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Run(kFinish, columns.ToParams()));
  context.notes.appended_events = true;
  for (int row = 0; row < rows.size(); ++row) {
    const std::int64_t number = rows.Int(row, 0);
    if (number == 0) {
      context.notes.made_runnable = true;
      continue;
    }
    const auto place = static_cast<std::size_t>(number) - 1;
    const std::string_view outcome = rows.Text(row, 1);
    const std::string& task_id = columns.given(place).lease.task_id;
    if (outcome == "unknown") {
      columns.answer(place) = Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", task_id));
    } else if (outcome == "lease_lost") {
      ++context.notes.lease_lost;
      columns.answer(place) = Fail(ErrorCode::kLeaseLost, std::string(rows.Text(row, 2)));
    } else {
      columns.answer(place) = {};
      const bool ended = outcome == "completed" || outcome == "failed";
      if (ended) SEEDCORE_RETURN_IF_ERROR(WriteEffects(context, task_id, columns.given(place).effects));
      if (const auto* held = std::get_if<Held>(&columns.given(place).outcome); held != nullptr && held->for_step) {
        SEEDCORE_RETURN_IF_ERROR(AfterHold(context, task_id));
      }
    }
  }
  return {};
}

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
Result<void> FinishWithSnoozes(WriteContext& context, FinishJob& job) {
  job.answers.assign(job.finishes.size(), {});
  std::vector<bool> done(job.finishes.size(), false);
  std::vector<const Finish*> snoozes;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < job.finishes.size(); ++i) {
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
  FinishColumns columns(context.now);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (!done[i]) columns.Add(rest[i], job.results[i], job.answers[i]);
  }
  return FinishAll(context, columns);
}

Result<void> FinishTogether(Database& database, std::span<FinishJob* const> jobs, bool with_effects) {
  const auto operation = [&](WriteContext& context) -> Result<void> {
    FinishColumns columns(context.now);
    for (FinishJob* job : jobs) {
      job->answers.assign(job->finishes.size(), {});
      for (std::size_t i = 0; i < job->finishes.size(); ++i) {
        SEEDCORE_ASSIGN_OR_RETURN(const bool goes_on, WriteItsSteps(context, job->finishes[i], job->answers[i]));
        if (!goes_on) continue;
        columns.Add(job->finishes[i], job->results[i], job->answers[i]);
      }
    }
    return FinishAll(context, columns);
  };
  return with_effects ? database.Write(operation) : database.WriteOnce(operation);
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
  if (std::ranges::any_of(finishes, IsSnoozed)) {
    job.outcome = database_.Write([&](WriteContext& context) { return FinishWithSnoozes(context, job); });
  } else if (std::ranges::any_of(finishes, HasMore)) {
    FinishJob* const alone = &job;
    job.outcome = FinishTogether(database_, {&alone, 1}, true);
  } else {
    SEEDCORE_RETURN_IF_ERROR(finishes_.Run(job, [this](std::span<FinishJob* const> jobs) { FinishJobs(jobs); }));
  }
  if (!job.outcome) return std::unexpected(std::move(job.outcome.error()));
  return std::move(job.answers);
}

void PostgresTaskStore::FinishJobs(std::span<FinishJob* const> jobs) {
  const Result<void> together = FinishTogether(database_, jobs, false);
  for (FinishJob* job : jobs) {
    job->outcome = together;
    // One caller's result that cannot be stored must not fail the others. Other errors would only come again.
    const bool fault_of_one = !together && !IsRetryable(together.error().code) && jobs.size() > 1;
    if (fault_of_one) job->outcome = FinishTogether(database_, std::span<FinishJob* const>(&job, 1), false);
  }
}

}  // namespace seedcore::store::postgres
