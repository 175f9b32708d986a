#include "service/tasks.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/strings.h"
#include "service/members.h"
#include "store/prepared_task.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxBatch = 1000;
constexpr int kMaxPage = 1000;
constexpr int kMaxRedrive = 10'000;
constexpr int kMaxAttempts = 100;
constexpr double kMaxBackoffSeconds = 86'400.0;
constexpr int kDefaultPriority = 5;
constexpr double kMaxUniqueSeconds = 366 * 86'400.0;

bool IsTypeChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ':';
}

Result<void> CheckRange(int value, int min, int max, std::string path) {
  if (value >= min && value <= max) return {};
  return Invalid(fmt::format("expected {} to {}, got {}", min, max, value), std::move(path));
}

/// A priority in the params, as the earlier system's clients send it: a number, or low, medium, high, critical.
std::optional<int> PriorityFromParams(const json::object& params) {
  const json::value* value = params.if_contains("priority");
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return static_cast<int>(std::clamp<std::int64_t>(value->get_int64(), 1, 10));
  if (!value->is_string()) return std::nullopt;
  const std::string name = ToLower(value->get_string());
  if (name == "low") return 2;
  if (name == "medium") return 5;
  if (name == "high") return 8;
  if (name == "critical") return 10;
  return std::nullopt;
}

SpanRead ToSpanRead(Span span) {
  return {std::move(span.name),
          std::move(span.trace_id),
          std::move(span.span_id),
          std::move(span.parent_span_id),
          span.start,
          static_cast<double>(span.duration.count()) / 1000.0,
          NonEmpty(std::move(span.error))};
}

}  // namespace

Result<void> RetryOptions::Validate() const {
  if (max_attempts) SEEDCORE_RETURN_IF_ERROR(CheckRange(*max_attempts, 1, kMaxAttempts, "max_attempts"));
  for (const auto& [name, value] : {std::pair("base_s", base_s), std::pair("max_s", max_s)}) {
    if (value && (*value < 0 || *value > kMaxBackoffSeconds)) {
      return Invalid(fmt::format("expected 0 to {} seconds, got {}", kMaxBackoffSeconds, *value), name);
    }
  }
  return {};
}

Result<void> TaskCreate::Validate() const {
  const std::string name = ToLower(Trim(type));
  if (name.empty()) return Invalid("must not be empty", "type");
  if (name.size() > store::kMaxTypeBytes || !std::ranges::all_of(name, IsTypeChar)) {
    return Invalid(fmt::format("expected at most {} of the characters a-z 0-9 _ - . :", store::kMaxTypeBytes), "type");
  }
  if (description.size() > store::kMaxDescriptionBytes) {
    return Invalid(fmt::format("longer than {} bytes", store::kMaxDescriptionBytes), "description");
  }
  if (domain && domain->size() > store::kMaxDomainBytes) {
    return Invalid(fmt::format("longer than {} bytes", store::kMaxDomainBytes), "domain");
  }
  if (priority) SEEDCORE_RETURN_IF_ERROR(CheckRange(*priority, 1, 10, "priority"));
  if (drift_score && *drift_score < 0) return Invalid("must not be negative", "drift_score");
  if (depends_on.size() > store::kMaxDependencies) {
    return Invalid(fmt::format("more than {} dependencies", store::kMaxDependencies), "depends_on");
  }
  if (idempotency_key.size() > store::kMaxKeyBytes) {
    return Invalid(fmt::format("longer than {} bytes", store::kMaxKeyBytes), "idempotency_key");
  }
  // Further rules for the keys are the store's.
  if (!(unique_for_s >= 0.0 && unique_for_s <= kMaxUniqueSeconds)) {
    return Invalid(fmt::format("expected 0 to {} seconds, got {}", kMaxUniqueSeconds, unique_for_s), "unique_for_s");
  }
  return {};
}

Result<void> TaskBatch::Validate() const {
  if (!tasks.empty() && tasks.size() <= kMaxBatch) return {};
  return Invalid(fmt::format("expected 1 to {} tasks, got {}", kMaxBatch, tasks.size()), "tasks");
}

Result<void> TaskQuery::Validate() const { return CheckRange(limit, 1, kMaxPage, "limit"); }
Result<void> RedriveRequest::Validate() const { return CheckRange(limit, 1, kMaxRedrive, "limit"); }

TaskRead ToTaskRead(store::Task task) {
  return {.id = std::move(task.id),
          .type = std::move(task.type),
          .description = std::move(task.description),
          .params = std::move(task.params),
          .domain = NonEmpty(std::move(task.domain)),
          .drift_score = task.drift_score,
          .status = task.status,
          .result = std::move(task.result),
          .error = NonEmpty(std::move(task.error)),
          .error_code = NonEmpty(std::move(task.error_code)),
          .priority = task.priority,
          .attempts = task.attempts,
          .max_attempts = task.retry.max_attempts,
          .run_after = task.run_after,
          .deadline = task.deadline,
          .depends_on = std::move(task.depends_on),
          .concurrency_key = NonEmpty(std::move(task.concurrency_key)),
          .unique_key = NonEmpty(std::move(task.unique_key)),
          .hold_reason = NonEmpty(std::move(task.hold_reason)),
          .dead_letter = task.dead_letter,
          .owner_id = NonEmpty(std::move(task.owner_id)),
          .lease_expires_at = task.lease_expires_at,
          .created_at = task.created_at,
          .updated_at = task.updated_at,
          .started_at = task.started_at,
          .finished_at = task.finished_at};
}

TaskEventRead ToTaskEventRead(store::TaskEvent event) {
  std::optional<ProgressRead> progress;
  if (event.kind == "progress") {
    if (auto read = store::ReadProgress(event.detail)) {
      event.detail = read->note;
      progress = ProgressRead{read->fraction, std::move(read->note), std::move(read->data), {}};
    }
  }
  return {event.seq,
          std::move(event.task_id),
          event.at,
          std::move(event.kind),
          event.status,
          event.attempt,
          event.fencing_token,
          NonEmpty(std::move(event.owner_id)),
          NonEmpty(std::move(event.detail)),
          std::move(progress)};
}

Result<store::NewTask> TaskService::ToNewTask(const TaskCreate& request, const CallContext& call) const {
  store::NewTask task;
  task.type = ToLower(Trim(request.type));
  task.description = request.description;
  task.domain = request.domain.value_or("");
  task.params = request.params;
  task.drift_score = request.drift_score.value_or(0.0);
  task.priority = request.priority.value_or(PriorityFromParams(request.params).value_or(kDefaultPriority));
  task.run_after = request.run_after;
  task.deadline = request.deadline;
  task.depends_on = request.depends_on;
  task.retry = dependencies_.default_retry;
  if (request.retry.max_attempts) task.retry.max_attempts = *request.retry.max_attempts;
  if (request.retry.base_s) task.retry.base = FromSeconds(*request.retry.base_s);
  if (request.retry.max_s) task.retry.max = FromSeconds(*request.retry.max_s);
  task.idempotency_key = request.idempotency_key;
  task.concurrency_key = request.concurrency_key;
  task.unique_key = request.unique_key;
  task.unique_for = FromSeconds(request.unique_for_s);
  task.traceparent = call.trace.ToHeader();
  task.run_immediately = request.run_immediately;
  if (dependencies_.check_task) SEEDCORE_RETURN_IF_ERROR(dependencies_.check_task(task.type, task.params));
  return task;
}

Result<TaskRead> TaskService::Submit(const TaskCreate& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(store::NewTask task, ToNewTask(request, call));
  if (task.idempotency_key.empty()) task.idempotency_key = call.idempotency_key;
  SEEDCORE_ASSIGN_OR_RETURN(auto results, tasks_.Submit({&task, 1}));
  return ToTaskRead(std::move(results.front().task));
}

Result<TaskBatchRead> TaskService::SubmitBatch(const TaskBatch& request, const CallContext& call) {
  std::vector<store::NewTask> tasks;
  tasks.reserve(request.tasks.size());
  for (const TaskCreate& create : request.tasks) {
    auto task = ToNewTask(create, call);
    if (!task) {
      Error error = std::move(task).error();
      error.path = fmt::format("tasks[{}].{}", tasks.size(), error.path);
      return std::unexpected(std::move(error));
    }
    tasks.push_back(std::move(*task));
  }
  SEEDCORE_ASSIGN_OR_RETURN(auto results, tasks_.Submit(tasks));
  TaskBatchRead batch;
  batch.items.reserve(results.size());
  for (store::SubmitResult& result : results) {
    batch.duplicates += result.duplicate ? 1 : 0;
    batch.items.push_back(ToTaskRead(std::move(result.task)));
  }
  return batch;
}

Result<TaskList> TaskService::List(const TaskQuery& request, const CallContext&) {
  const store::TaskFilter filter{.status = request.status,
                                 .type = request.type,
                                 .domain = request.domain,
                                 .created_since = request.since,
                                 .text = request.q,
                                 .dead_letter = request.dead_letter};
  SEEDCORE_ASSIGN_OR_RETURN(auto page, tasks_.List(filter, request.limit, request.cursor));
  TaskList list;
  list.items.reserve(page.items.size());
  for (store::Task& task : page.items) list.items.push_back(ToTaskRead(std::move(task)));
  SEEDCORE_RETURN_IF_ERROR(AddProgress(list.items));
  list.next_cursor = NonEmpty(std::move(page.next_cursor));
  // Counting under any other filter would read every row.
  const bool countable =
      request.type.empty() && request.domain.empty() && !request.since && request.q.empty() && !request.dead_letter;
  if (countable) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto counts, tasks_.Counts());
    std::int64_t total = 0;
    for (const auto& [status, count] : counts.by_status) {
      if (!request.status || *request.status == status) total += count;
    }
    list.total = total;
  }
  return list;
}

Result<TaskRead> TaskService::Get(const TaskId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto task, tasks_.Get(request.id));
  TaskRead read = ToTaskRead(std::move(task));
  SEEDCORE_RETURN_IF_ERROR(AddProgress({&read, 1}));
  return read;
}

Result<void> TaskService::AddProgress(std::span<TaskRead> tasks) {
  std::vector<std::string> running;
  for (const TaskRead& task : tasks) {
    if (task.status == store::TaskStatus::kRunning) running.push_back(task.id);
  }
  if (running.empty()) return {};
  SEEDCORE_ASSIGN_OR_RETURN(auto known, tasks_.ProgressOf(running));
  for (TaskRead& task : tasks) {
    const auto found = known.find(task.id);
    if (found == known.end()) continue;
    Progress& progress = found->second.progress;
    task.progress =
        ProgressRead{progress.fraction, std::move(progress.note), std::move(progress.data), found->second.at};
  }
  return {};
}

Result<TaskStatusRead> TaskService::Status(const TaskId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto task, tasks_.Get(request.id));
  return TaskStatusRead{std::move(task.id), task.status, task.updated_at, NonEmpty(std::move(task.error))};
}

Result<TaskEvents> TaskService::Events(const TaskId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto task, tasks_.Get(request.id));
  SEEDCORE_ASSIGN_OR_RETURN(auto events, tasks_.Events(task.id));
  TaskEvents history;
  for (store::TaskEvent& event : events) history.events.push_back(ToTaskEventRead(std::move(event)));
  for (Span& span : dependencies_.spans->ForTask(task.id)) history.spans.push_back(ToSpanRead(std::move(span)));
  return history;
}

Result<TaskRead> TaskService::Run(const TaskId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto known, tasks_.Get(request.id));
  SEEDCORE_ASSIGN_OR_RETURN(auto task, tasks_.Run(known.id));
  return ToTaskRead(std::move(task));
}

Result<TaskRead> TaskService::Resume(const TaskId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto known, tasks_.Get(request.id));
  if (known.hold_reason.empty()) {
    return Fail(ErrorCode::kConflict, fmt::format("the task is {}, not held", EnumToString(known.status)), "id");
  }
  SEEDCORE_ASSIGN_OR_RETURN(auto task, tasks_.Run(known.id));
  return ToTaskRead(std::move(task));
}

Result<TaskRead> TaskService::Cancel(const TaskId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto known, tasks_.Get(request.id));
  SEEDCORE_ASSIGN_OR_RETURN(auto task, tasks_.Cancel(known.id));
  if (dependencies_.on_cancelled) dependencies_.on_cancelled();
  return ToTaskRead(std::move(task));
}

Result<RedriveResult> TaskService::Redrive(const RedriveRequest& request, const CallContext&) {
  const store::TaskFilter filter{.type = request.type, .domain = request.domain, .dead_letter = true};
  SEEDCORE_ASSIGN_OR_RETURN(const int requeued, tasks_.Redrive(filter, request.limit));
  return RedriveResult{requeued};
}

Result<void> TaskService::StreamEvents(const EventsRequest& request, const CallContext&,
                                       const std::shared_ptr<net::EventStream>& stream) {
  return StreamTaskEvents(dependencies_.events, request, stream);
}

OperationTable<TaskService> TaskOperations() {
  return {
      "/api/v1",
      "Tasks: submit, watch, steer",
      {
          Post<&TaskService::Submit>("/tasks", "Stores a task; the answer leaves once it is durable"),
          Post<&TaskService::SubmitBatch>("/tasks/batch", "Stores up to 1000 tasks in one transaction"),
          Get<&TaskService::List>("/tasks", "Tasks, newest first, filtered and paged"),
          Post<&TaskService::Redrive>("/tasks/redrive", "Queues dead letters again"),
          Get<&TaskService::Get>("/tasks/{id}", "One task, by id or unique prefix"),
          Get<&TaskService::Status>("/tasks/{id}/status", "Only where it stands"),
          Get<&TaskService::Events>("/tasks/{id}/events", "The history of a task and the calls made for it"),
          Post<&TaskService::Run>("/tasks/{id}/run",
                                  "Queues a task that is created, waiting to retry, failed or cancelled"),
          Post<&TaskService::Resume>("/tasks/{id}/resume", "Queues a held task"),
          Post<&TaskService::Cancel>("/tasks/{id}/cancel", "Cancels; a running task is told and its result refused"),
          Stream<&TaskService::StreamEvents, TaskEventRead>("/events", "Every change of every task as it happens"),
      },
      ""};
}

}  // namespace seedcore::service
