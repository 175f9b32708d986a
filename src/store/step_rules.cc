#include "store/step_rules.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/json_binding.h"
#include "store/stored_task.h"

namespace seedcore::store {
namespace {

constexpr std::size_t kMaxErrorBytes = 65'536;

Result<void> CheckName(const std::string& name, std::string path) {
  if (!name.empty() && name.size() <= kMaxStepName) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("expected a name of 1 to {} bytes, got {}", kMaxStepName, name.size()), std::move(path));
}

std::string HashOf(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return fmt::format("{:016x}", hash);
}

template <class Rows>
auto Find(Rows& rows, std::string_view name) {
  return std::ranges::find_if(rows, [&](const StepRow& row) { return row.name == name; });
}

std::unexpected<Error> NoSuchStep(std::string_view name) {
  return Fail(ErrorCode::kNotFound, fmt::format("the task has no step '{}'", name), "step");
}

/// The numbers of `from` and of whatever depends on it, directly or not.
Result<std::set<int>> WithDependants(std::span<const StepRow> rows, std::string_view from) {
  const auto start = Find(rows, from);
  if (start == rows.end()) return NoSuchStep(from);
  std::set<std::string> names{start->name};
  std::set<int> numbers{start->number};
  for (bool grew = true; grew;) {
    grew = false;
    for (const StepRow& row : rows) {
      if (numbers.contains(row.number)) continue;
      SEEDCORE_ASSIGN_OR_RETURN(const auto depends_on, ParseStoredStrings(row.depends_on, "depends_on of a step"));
      if (std::ranges::none_of(depends_on, [&](const std::string& name) { return names.contains(name); })) continue;
      names.insert(row.name);
      numbers.insert(row.number);
      grew = true;
    }
  }
  return numbers;
}

void Reset(StepRow& row) {
  row.status = TaskStepStatus::kPending;
  row.attempt = 0;
  row.result.clear();
  row.error.clear();
  row.error_code.clear();
  row.started_at.reset();
  row.finished_at.reset();
  row.wait_until.reset();
}

std::string_view EventKind(TaskStepStatus status) {
  switch (status) {
    case TaskStepStatus::kCompleted: return "step_completed";
    case TaskStepStatus::kFailed: return "step_failed";
    case TaskStepStatus::kWaiting: return "step_waiting";
    default: return {};
  }
}

/// The row after the write.
StepRow After(StepRow row, const PreparedStepWrite& prepared, std::int64_t fencing_token, WallTime now) {
  const StepWrite& write = prepared.write;
  row.status = write.status;
  row.fencing_token = fencing_token;
  row.error = write.error;
  row.error_code = write.error_code;
  row.wait_until = write.status == TaskStepStatus::kWaiting ? write.wait_until : std::nullopt;
  row.result = prepared.result;
  row.finished_at.reset();
  switch (write.status) {
    case TaskStepStatus::kRunning:
      ++row.attempt;
      row.started_at = now;
      break;
    case TaskStepStatus::kWaiting:
      if (!row.started_at) row.started_at = now;
      break;
    case TaskStepStatus::kPending: break;
    default:
      if (!row.started_at && write.status != TaskStepStatus::kSkipped) row.started_at = now;
      row.finished_at = now;
  }
  return row;
}

}  // namespace

std::string StepKey(std::string_view task_key, std::string_view step, int round) {
  return round <= 1 ? fmt::format("{}:{}", task_key, step) : fmt::format("{}:{}:{}", task_key, step, round);
}

Result<TaskStep> ToTaskStep(StepRow row) {
  TaskStep step{.number = row.number,
                .name = std::move(row.name),
                .depends_on = {},
                .spec = {},
                .plan_hash = std::move(row.plan_hash),
                .plan_note = {},
                .status = row.status,
                .attempt = row.attempt,
                .round = row.round,
                .result = nullptr,
                .error = std::move(row.error),
                .error_code = std::move(row.error_code),
                .started_at = row.started_at,
                .finished_at = row.finished_at,
                .wait_until = row.wait_until,
                .fencing_token = row.fencing_token};
  SEEDCORE_ASSIGN_OR_RETURN(step.depends_on, ParseStoredStrings(row.depends_on, "depends_on of a step"));
  SEEDCORE_ASSIGN_OR_RETURN(step.spec, ParseStoredObject(row.spec, "what a step does"));
  if (!row.plan_note.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(step.plan_note, ParseStoredObject(row.plan_note, "the note of a plan"));
  }
  if (!row.result.empty()) {
    auto result = ParseJson(row.result);
    if (!result) return Fail(ErrorCode::kCorrupt, "the stored result of a step is damaged");
    step.result = std::move(*result);
  }
  return step;
}

Result<std::vector<TaskStep>> ToTaskSteps(std::vector<StepRow> rows) {
  std::vector<TaskStep> steps;
  steps.reserve(rows.size());
  for (StepRow& row : rows) {
    SEEDCORE_ASSIGN_OR_RETURN(steps.emplace_back(), ToTaskStep(std::move(row)));
  }
  return steps;
}

Result<std::vector<PreparedStepWrite>> PrepareStepWrites(std::span<const StepWrite> writes) {
  std::vector<PreparedStepWrite> out;
  out.reserve(writes.size());
  for (const StepWrite& write : writes) {
    SEEDCORE_RETURN_IF_ERROR(CheckName(write.name, "step"));
    PreparedStepWrite& prepared = out.emplace_back();
    if (write.status == TaskStepStatus::kCompleted) prepared.result = WriteJson(write.result);
    if (prepared.result.size() > kMaxStepResultBytes) {
      return Fail(
          ErrorCode::kPayloadTooLarge,
          fmt::format("the result of step '{}' has {} bytes; at most {} are kept. Keep large data elsewhere and "
                      "return where it is",
                      write.name, prepared.result.size(), kMaxStepResultBytes),
          "result");
    }
    prepared.write = {.name = write.name,
                      .status = write.status,
                      .result = nullptr,
                      .error = write.error.substr(0, kMaxErrorBytes),
                      .error_code = write.error_code,
                      .wait_until = write.wait_until,
                      .may_add = write.may_add};
  }
  return out;
}

Result<std::vector<StepRow>> PreparePlan(const NewPlan& plan) {
  if (plan.steps.empty() || plan.steps.size() > kMaxSteps) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("expected 1 to {} steps, got {}", kMaxSteps, plan.steps.size()), "steps");
  }
  std::set<std::string_view> names;
  for (const NewStep& step : plan.steps) {
    SEEDCORE_RETURN_IF_ERROR(CheckName(step.name, "steps"));
    if (!names.insert(step.name).second) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("the name '{}' is used twice", step.name), "steps");
    }
  }
  std::vector<StepRow> rows;
  std::string content;
  for (const NewStep& step : plan.steps) {
    for (const std::string& name : step.depends_on) {
      if (names.contains(name) && name != step.name) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("step '{}' depends on '{}', which is no other step", step.name, name), "steps");
    }
    StepRow& row = rows.emplace_back();
    row.number = static_cast<int>(rows.size()) - 1;
    row.name = step.name;
    row.depends_on = WriteStrings(step.depends_on);
    row.spec = WriteObject(step.spec);
    if (row.spec.size() > kMaxStepSpecBytes) {
      return Fail(
          ErrorCode::kPayloadTooLarge,
          fmt::format("step '{}' has {} bytes; at most {} are kept", step.name, row.spec.size(), kMaxStepSpecBytes),
          "steps");
    }
    content += WriteJson(json::array{json::string(row.name), json::string(row.depends_on), json::string(row.spec)});
  }
  if (!plan.note.empty()) rows.front().plan_note = WriteObject(plan.note);
  const std::string hash = HashOf(content);
  for (StepRow& row : rows) row.plan_hash = hash;
  return rows;
}

Result<StepChanges> SavePlanChanges(std::span<const StepRow> rows, std::span<const StepRow> plan) {
  StepChanges changes;
  if (rows.empty()) {
    for (const StepRow& row : plan) changes.rows.push_back({row, true, false});
    changes.events.push_back({"planned", fmt::format("{} steps, plan {}", plan.size(), plan.front().plan_hash)});
    return changes;
  }
  if (rows.front().plan_hash == plan.front().plan_hash) return changes;
  return Fail(ErrorCode::kConflict,
              fmt::format("the task has plan '{}' with {} steps; a plan is not changed once it is "
                          "saved",
                          rows.front().plan_hash, rows.size()));
}

Result<StepChanges> WriteChanges(std::vector<StepRow> rows, std::span<const PreparedStepWrite> writes,
                                 std::int64_t fencing_token, WallTime now) {
  StepChanges changes;
  for (const PreparedStepWrite& prepared : writes) {
    const StepWrite& write = prepared.write;
    auto row = Find(rows, write.name);
    const bool is_new = row == rows.end();
    if (is_new) {
      if (!write.may_add) return NoSuchStep(write.name);
      if (rows.size() >= kMaxSteps) {
        return Fail(ErrorCode::kResourceExhausted, fmt::format("a task has at most {} steps", kMaxSteps), "step");
      }
      StepRow added;
      added.number = rows.empty() ? 0 : rows.back().number + 1;
      added.name = write.name;
      if (!rows.empty()) added.depends_on = WriteStrings(std::vector<std::string>{rows.back().name});
      row = rows.insert(rows.end(), std::move(added));
    }
    if (row->status == TaskStepStatus::kCompleted) {
      if (write.status == TaskStepStatus::kCompleted && row->fencing_token == fencing_token) continue;
      return Fail(ErrorCode::kConflict, fmt::format("step '{}' is completed and stays so", write.name), "step");
    }
    *row = After(std::move(*row), prepared, fencing_token, now);
    if (const std::string_view kind = EventKind(row->status); !kind.empty()) {
      changes.events.push_back(
          {std::string(kind), row->error.empty() ? row->name : fmt::format("{}: {}", row->name, row->error)});
    }
    changes.rows.push_back({*row, is_new, true});
  }
  return changes;
}

Result<StepChanges> AnswerChanges(std::span<const StepRow> rows, std::string_view step, const StepAnswer& answer,
                                  WallTime now) {
  const auto found = Find(rows, step);
  if (found == rows.end()) return NoSuchStep(step);
  if (found->status != TaskStepStatus::kWaiting) {
    return Fail(ErrorCode::kConflict, fmt::format("step '{}' is {}, not waiting", step, EnumToString(found->status)),
                "step");
  }
  StepRow row = *found;
  row.status = answer.refused ? TaskStepStatus::kFailed : TaskStepStatus::kCompleted;
  row.error.clear();
  row.result.clear();
  if (answer.refused) {
    row.error = answer.reason.empty() ? "refused" : "refused: " + answer.reason.substr(0, kMaxErrorBytes);
    row.error_code = ToString(ErrorCode::kNonRetryable);
  } else {
    row.result = WriteJson(answer.answer);
    if (row.result.size() > kMaxStepResultBytes) {
      return Fail(ErrorCode::kPayloadTooLarge,
                  fmt::format("the answer has {} bytes; at most {} are kept", row.result.size(), kMaxStepResultBytes),
                  "answer");
    }
  }
  row.finished_at = now;
  row.wait_until.reset();
  StepChanges changes;
  changes.events.push_back(
      {std::string(EventKind(row.status)), row.error.empty() ? row.name : fmt::format("{}: {}", row.name, row.error)});
  changes.rows.push_back({std::move(row), false, true});
  return changes;
}

Result<StepChanges> ReplayChanges(std::span<const StepRow> rows, std::string_view from_step) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::set<int> dropped, WithDependants(rows, from_step));
  StepChanges changes;
  std::vector<std::string> names;
  for (const StepRow& before : rows) {
    if (before.status == TaskStepStatus::kCompleted && !dropped.contains(before.number)) continue;
    StepRow row = before;
    Reset(row);
    ++row.round;
    names.push_back(row.name);
    changes.rows.push_back({std::move(row), false, true});
  }
  changes.events.push_back(
      {"replayed", fmt::format("from step '{}'; dropped: {}", from_step, fmt::join(names, ", ")).substr(0, 4096)});
  return changes;
}

Result<StepChanges> ForkChanges(std::span<const StepRow> rows, std::string_view from_step, std::string_view task_id) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::set<int> dropped, WithDependants(rows, from_step));
  StepChanges changes;
  for (const StepRow& before : rows) {
    StepRow row = before;
    row.fencing_token = 0;
    row.round = 1;
    if (row.status != TaskStepStatus::kCompleted || dropped.contains(row.number)) Reset(row);
    changes.rows.push_back({std::move(row), true, true});
  }
  changes.events.push_back({"forked", fmt::format("from task {} at step '{}'", task_id, from_step)});
  return changes;
}

StepChanges OverdueChanges(std::span<const StepRow> rows, WallTime now) {
  StepChanges changes;
  for (const StepRow& before : rows) {
    if (before.status != TaskStepStatus::kWaiting || !before.wait_until || *before.wait_until > now) continue;
    StepRow row = before;
    row.status = TaskStepStatus::kFailed;
    row.error = "nobody answered in time";
    row.error_code = ToString(ErrorCode::kDeadlineExceeded);
    row.result.clear();
    row.finished_at = now;
    row.wait_until.reset();
    changes.events.push_back({"step_failed", fmt::format("{}: {}", row.name, row.error)});
    changes.rows.push_back({std::move(row), false, true});
  }
  return changes;
}

bool AnyWaiting(std::span<const StepRow> rows) {
  return std::ranges::any_of(rows, [](const StepRow& row) { return row.status == TaskStepStatus::kWaiting; });
}

Error StepLeaseLost(const Lease& lease, TaskStatus status, std::int64_t fencing_token) {
  return {ErrorCode::kLeaseLost,
          fmt::format("a step under token {} was refused: the task is {} and its token is {}", lease.fencing_token,
                      EnumToString(status), fencing_token),
          {}};
}

Error TaskHasEnded(TaskStatus status) {
  return {ErrorCode::kConflict, fmt::format("the task is {}; nobody waits for an answer", EnumToString(status)), {}};
}

Error TaskHasNotEnded(TaskStatus status) {
  return {
      ErrorCode::kConflict, fmt::format("the task is {}; only an ended task is replayed", EnumToString(status)), {}};
}

NewTask ForkOf(const Task& task) {
  NewTask fork;
  fork.type = task.type;
  fork.description = task.description;
  fork.domain = task.domain;
  fork.params = task.params;
  fork.drift_score = task.drift_score;
  fork.priority = task.priority;
  fork.retry = task.retry;
  fork.concurrency_key = task.concurrency_key;
  return fork;
}

}  // namespace seedcore::store
