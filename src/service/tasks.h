#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "service/event_stream.h"
#include "service/operation.h"
#include "store/store.h"

/// The task API, `/api/v1/tasks`: submit, watch, steer.
namespace seedcore::service {

/// How failed executions are repeated; absent fields take the configured defaults.
struct RetryOptions {
  std::optional<int> max_attempts;
  std::optional<double> base_s;
  std::optional<double> max_s;
  static constexpr auto kFields =
      Fields(Sparse("max_attempts", &RetryOptions::max_attempts, "Executions in all, 1 to 100"),
             Sparse("base_s", &RetryOptions::base_s, "Wait before the first retry, seconds; doubles at each"),
             Sparse("max_s", &RetryOptions::max_s, "Longest wait, seconds"));
  [[nodiscard]] Result<void> Validate() const;
};

struct TaskCreate {
  std::string type;
  json::object params;
  std::string description;
  std::optional<std::string> domain;
  std::optional<double> drift_score;
  bool run_immediately = true;
  std::optional<int> priority;
  std::optional<WallTime> run_after;
  std::optional<WallTime> deadline;
  std::vector<std::string> depends_on;
  RetryOptions retry;
  std::string idempotency_key;
  std::string concurrency_key;
  std::string unique_key;
  double unique_for_s = 0.0;
  static constexpr auto kFields = Fields(
      Required("type", &TaskCreate::type, "What to do: names the executor, for example general_query"),
      Optional("params", &TaskCreate::params, "Input of the executor, any JSON object"),
      Optional("description", &TaskCreate::description, "The task in words; what general_query answers"),
      Optional("domain", &TaskCreate::domain, "Tenant or subject; with the type it names the drift stream"),
      Optional("drift_score", &TaskCreate::drift_score, "Drift known beforehand; measured when absent"),
      Optional("run_immediately", &TaskCreate::run_immediately, "false: stored as created until /run"),
      Optional("priority", &TaskCreate::priority, "1 (low) to 10 (urgent); default params.priority, else 5"),
      Optional("run_after", &TaskCreate::run_after, "Not before this time"),
      Optional("deadline", &TaskCreate::deadline, "Fails when not finished by then"),
      Optional("depends_on", &TaskCreate::depends_on, "Full ids of tasks that must complete first"),
      Optional("retry", &TaskCreate::retry, "Retry policy"),
      Optional("idempotency_key", &TaskCreate::idempotency_key,
               "Same key and content: the first task is returned. The Idempotency-Key header does the same"),
      Optional("concurrency_key", &TaskCreate::concurrency_key, "Tasks of one key share a limit; see /api/v1/limits"),
      Optional("unique_key", &TaskCreate::unique_key,
               "While a task of this key is not finished, it is returned instead of a second one"),
      Optional("unique_for_s", &TaskCreate::unique_for_s,
               "And for so many seconds after its submission, finished or not"));
  [[nodiscard]] Result<void> Validate() const;
};

/// How far a running task is, as whoever executes it said last.
struct ProgressRead {
  double fraction = 0.0;
  std::string note;
  json::value data;
  std::optional<WallTime> at;
  static constexpr auto kFields = Fields(
      Required("fraction", &ProgressRead::fraction, "0 to 1"), Optional("note", &ProgressRead::note, "For people"),
      Optional("data", &ProgressRead::data, "Any small JSON"), Sparse("at", &ProgressRead::at, "When it was written"));
};

/// A task as the API shows it.
struct TaskRead {
  std::string id;
  std::string type;
  std::string description;
  json::object params;
  std::optional<std::string> domain;
  double drift_score = 0.0;
  store::TaskStatus status = store::TaskStatus::kCreated;
  json::value result;
  std::optional<std::string> error;
  std::optional<std::string> error_code;
  int priority = 5;
  int attempts = 0;
  int max_attempts = 3;
  std::optional<WallTime> run_after;
  std::optional<WallTime> deadline;
  std::vector<std::string> depends_on;
  std::optional<std::string> concurrency_key;
  std::optional<std::string> unique_key;
  std::optional<std::string> hold_reason;
  bool dead_letter = false;
  std::optional<std::string> owner_id;
  std::optional<WallTime> lease_expires_at;
  WallTime created_at;
  WallTime updated_at;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::optional<ProgressRead> progress{};
  static constexpr auto kFields = Fields(
      Required("id", &TaskRead::id, "UUID, version 7"), Required("type", &TaskRead::type, "Executor name"),
      Required("description", &TaskRead::description, "The task in words"),
      Required("params", &TaskRead::params, "Input as submitted"),
      Optional("domain", &TaskRead::domain, "Tenant or subject"),
      Required("drift_score", &TaskRead::drift_score, "Drift as submitted"),
      Required("status", &TaskRead::status, "Where the task stands"),
      Optional("result", &TaskRead::result, "What the execution returned; null until then"),
      Optional("error", &TaskRead::error, "Last failure"),
      Optional("error_code", &TaskRead::error_code, "Kind of the last failure"),
      Required("priority", &TaskRead::priority, "1 to 10"),
      Required("attempts", &TaskRead::attempts, "Executions begun"),
      Required("max_attempts", &TaskRead::max_attempts, "Executions allowed"),
      Optional("run_after", &TaskRead::run_after, "Not before"), Optional("deadline", &TaskRead::deadline, "Not after"),
      Required("depends_on", &TaskRead::depends_on, "Tasks that must complete first"),
      Optional("concurrency_key", &TaskRead::concurrency_key, "Whose limit it shares"),
      Optional("unique_key", &TaskRead::unique_key, "Taken by it while it is not finished"),
      Optional("hold_reason", &TaskRead::hold_reason, "Why the task is parked; resume it with /resume"),
      Required("dead_letter", &TaskRead::dead_letter, "Failed for good; /api/v1/tasks/redrive queues it again"),
      Optional("owner_id", &TaskRead::owner_id, "Worker that holds the lease"),
      Optional("lease_expires_at", &TaskRead::lease_expires_at, "When another worker may take over"),
      Required("created_at", &TaskRead::created_at, "Submitted"),
      Required("updated_at", &TaskRead::updated_at, "Last change"),
      Optional("started_at", &TaskRead::started_at, "Start of the last execution"),
      Optional("finished_at", &TaskRead::finished_at, "When it ended"),
      Sparse("progress", &TaskRead::progress, "While it runs, and once whoever executes it has said something"));
};

struct TaskBatch {
  std::vector<TaskCreate> tasks;
  static constexpr auto kFields =
      Fields(Required("tasks", &TaskBatch::tasks, "1 to 1000 tasks; all are stored, or none"));
  [[nodiscard]] Result<void> Validate() const;
};

struct TaskBatchRead {
  std::vector<TaskRead> items;
  int duplicates = 0;
  static constexpr auto kFields = Fields(
      Required("items", &TaskBatchRead::items, "In the order submitted"),
      Required("duplicates", &TaskBatchRead::duplicates, "How many were known by their idempotency key or unique key"));
};

struct TaskId {
  std::string id;
  static constexpr auto kFields =
      Fields(Required("id", &TaskId::id, "Task id, or a unique prefix of 4 characters or more"));
};

struct TaskQuery {
  std::optional<store::TaskStatus> status;
  std::string type;
  std::string domain;
  std::optional<WallTime> since;
  std::string q;
  std::optional<bool> dead_letter;
  int limit = 50;
  std::string cursor;
  static constexpr auto kFields = Fields(
      Sparse("status", &TaskQuery::status, "Only this status"), Sparse("type", &TaskQuery::type, "Only this type"),
      Sparse("domain", &TaskQuery::domain, "Only this domain"),
      Sparse("since", &TaskQuery::since, "Created at or after"),
      Sparse("q", &TaskQuery::q, "Substring of id, type, description or result"),
      Sparse("dead_letter", &TaskQuery::dead_letter, "Only dead letters, or none of them"),
      Optional("limit", &TaskQuery::limit, "Page size, 1 to 1000"),
      Sparse("cursor", &TaskQuery::cursor, "next_cursor of the page before"));
  [[nodiscard]] Result<void> Validate() const;
};

struct TaskList {
  std::optional<std::int64_t> total;
  std::vector<TaskRead> items;
  std::optional<std::string> next_cursor;
  static constexpr auto kFields =
      Fields(Optional("total", &TaskList::total, "Matching tasks; null when a filter other than status is given"),
             Required("items", &TaskList::items, "Newest first"),
             Optional("next_cursor", &TaskList::next_cursor, "Pass as cursor for the next page; null: last page"));
};

struct TaskStatusRead {
  std::string id;
  store::TaskStatus status = store::TaskStatus::kCreated;
  WallTime updated_at;
  std::optional<std::string> error;
  static constexpr auto kFields = Fields(Required("id", &TaskStatusRead::id, "Full id"),
                                         Required("status", &TaskStatusRead::status, "Where it stands"),
                                         Required("updated_at", &TaskStatusRead::updated_at, "Last change"),
                                         Optional("error", &TaskStatusRead::error, "Last failure"));
};

struct TaskEventRead {
  std::int64_t seq = 0;
  std::string task_id;
  WallTime at;
  std::string kind;
  store::TaskStatus status = store::TaskStatus::kCreated;
  int attempt = 0;
  std::int64_t fencing_token = 0;
  std::optional<std::string> owner_id;
  std::optional<std::string> detail;
  std::optional<ProgressRead> progress{};
  static constexpr auto kFields = Fields(
      Required("seq", &TaskEventRead::seq, "Position in the store's event log; the SSE event id"),
      Required("task_id", &TaskEventRead::task_id, "Whose event"), Required("at", &TaskEventRead::at, "When"),
      Required("kind", &TaskEventRead::kind,
               "submitted, claimed, completed, retry, failed, cancelled, held, snoozed, progress, ..."),
      Required("status", &TaskEventRead::status, "Status after the event"),
      Required("attempt", &TaskEventRead::attempt, "Executions begun by then"),
      Required("fencing_token", &TaskEventRead::fencing_token, "Token of the claim it belongs to"),
      Optional("owner_id", &TaskEventRead::owner_id, "Worker"),
      Optional("detail", &TaskEventRead::detail, "Error, reason, or the note of a progress"),
      Sparse("progress", &TaskEventRead::progress, "Of an event of kind progress; a history has the newest alone"));
};

struct SpanRead {
  std::string name;
  std::string trace_id;
  std::string span_id;
  std::string parent_span_id;
  WallTime start;
  double duration_ms = 0;
  std::optional<std::string> error;
  static constexpr auto kFields = Fields(
      Required("name", &SpanRead::name, "Service and operation"), Required("trace_id", &SpanRead::trace_id, "W3C"),
      Required("span_id", &SpanRead::span_id, "W3C"), Required("parent_span_id", &SpanRead::parent_span_id, "W3C"),
      Required("start", &SpanRead::start, "Begin"), Required("duration_ms", &SpanRead::duration_ms, "Milliseconds"),
      Optional("error", &SpanRead::error, "What went wrong"));
};

struct TaskEvents {
  std::vector<TaskEventRead> events;
  std::vector<SpanRead> spans;
  static constexpr auto kFields =
      Fields(Required("events", &TaskEvents::events, "The whole history, oldest first"),
             Required("spans", &TaskEvents::spans, "Calls made for it since this process started, newest tasks only"));
};

struct RedriveRequest {
  std::string type;
  std::string domain;
  int limit = 1000;
  static constexpr auto kFields = Fields(Optional("type", &RedriveRequest::type, "Only this type"),
                                         Optional("domain", &RedriveRequest::domain, "Only this domain"),
                                         Optional("limit", &RedriveRequest::limit, "At most so many, 1 to 10000"));
  [[nodiscard]] Result<void> Validate() const;
};

struct RedriveResult {
  int requeued = 0;
  static constexpr auto kFields = Fields(Required("requeued", &RedriveResult::requeued, "Dead letters queued again"));
};

[[nodiscard]] TaskRead ToTaskRead(store::Task task);
[[nodiscard]] TaskEventRead ToTaskEventRead(store::TaskEvent event);

/// Thread-safe; everything it knows is in the store.
class TaskService {
 public:
  struct Dependencies {
    store::TaskStore* tasks = nullptr;
    const SpanStore* spans = nullptr;
    store::RetryPolicy default_retry;
    std::function<void()> on_cancelled;  ///< lets the dispatcher tell a running worker at once; may be empty
    /// Whether anybody can ever execute such a task, or why not; may be empty.
    std::function<Result<void>(const std::string& type, const json::object& params)> check_task;
    queue::EventFeed* events = nullptr;  ///< null: StreamEvents is unavailable
  };

  explicit TaskService(Dependencies dependencies)
      : tasks_(*dependencies.tasks), dependencies_(std::move(dependencies)) {}

  Result<TaskRead> Submit(const TaskCreate& request, const CallContext& call);
  Result<TaskBatchRead> SubmitBatch(const TaskBatch& request, const CallContext& call);
  Result<TaskList> List(const TaskQuery& request, const CallContext& call);
  Result<TaskRead> Get(const TaskId& request, const CallContext& call);
  Result<TaskStatusRead> Status(const TaskId& request, const CallContext& call);
  Result<TaskEvents> Events(const TaskId& request, const CallContext& call);
  Result<void> StreamEvents(const EventsRequest& request, const CallContext& call,
                            const std::shared_ptr<net::EventStream>& stream);
  Result<TaskRead> Run(const TaskId& request, const CallContext& call);
  Result<TaskRead> Resume(const TaskId& request, const CallContext& call);
  Result<TaskRead> Cancel(const TaskId& request, const CallContext& call);
  Result<RedriveResult> Redrive(const RedriveRequest& request, const CallContext& call);

 private:
  /// kInvalidArgument: nobody could execute it.
  Result<store::NewTask> ToNewTask(const TaskCreate& request, const CallContext& call) const;
  /// Adds what is known of the progress of those that run.
  Result<void> AddProgress(std::span<TaskRead> tasks);

  store::TaskStore& tasks_;
  Dependencies dependencies_;
};

[[nodiscard]] OperationTable<TaskService> TaskOperations();

}  // namespace seedcore::service
