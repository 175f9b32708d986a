#include <algorithm>

#include <fmt/format.h>

#include "base/uuid.h"
#include "store/postgres/plain_submit.h"
#include "store/postgres/submit_writes.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kSubmitOne[] =
    "SELECT seq, id, status, error, duplicate FROM seedcore_submit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
    "$13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";

// $1 ids of new tasks. How many can run now, and whether some can at a time; neither can what waits for others.
constexpr char kHowTheyWait[] =
    "SELECT count(*) FILTER (WHERE t.runnable = 1), count(*) FILTER (WHERE t.runnable = 2) > 0 "
    "FROM unnest($1::uuid[]) AS made (id) CROSS JOIN LATERAL (SELECT runnable FROM tasks WHERE id = made.id LIMIT 1) t";

/// At `now`, which it returns.
Result<WallTime> Store(Database& database, std::span<SubmitJob* const> jobs, WallTime now) {
  PlainSubmit submit(now);
  for (const SubmitJob* job : jobs) {
    for (std::size_t i = 0; i < job->tasks.size(); ++i) submit.Add(job->tasks[i], job->ids[i]);
  }
  const Wakes wakes = submit.wakes();
  return database.WriteOnce(wakes, [&](WriteContext& context) -> Result<WallTime> {
    const Call call = submit.ToCall(context.announced);
    SEEDCORE_RETURN_IF_ERROR(context.db.Run(call.sql, call.params));
    context.notes.appended_events = true;
    context.notes.runnable = {.tasks = wakes.runnable, .later = submit.some_run_later()};
    return now;
  });
}

Result<Call> SubmitOneCall(const PreparedTask& prepared, const std::string& id, WallTime now) {
  const NewTask& task = *prepared.task;
  Array dependencies(Oid::kUuid);
  for (const std::string& dependency : prepared.dependencies) {
    if (!IsUuid(dependency)) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no task {} to depend on", dependency), "depends_on");
    }
    dependencies.Add(Uuid{dependency});
  }
  const bool keyed = !task.idempotency_key.empty();
  return Call{
      kSubmitOne,
      MakeParams(now, Uuid{id}, task.type, task.domain, task.description, prepared.params, task.priority,
                 task.drift_score, task.run_after, task.deadline, NullIfEmpty(prepared.depends_on), dependencies,
                 task.retry.max_attempts, task.retry.base, task.retry.max, NullIfEmpty(task.idempotency_key),
                 keyed ? std::optional(prepared.content_hash) : std::nullopt, NullIfEmpty(task.traceparent),
                 task.run_immediately, NullIfEmpty(task.concurrency_key), NullIfEmpty(task.unique_key),
                 task.unique_for.count() > 0 ? std::optional(now + task.unique_for) : std::nullopt)};
}

}  // namespace

Result<std::vector<Submitted>> SubmitCalls(WriteContext& context, std::span<const PreparedTask> tasks) {
  std::vector<Call> calls;
  Array dependent(Oid::kUuid);
  bool some_depend = false;
  for (const PreparedTask& task : tasks) {
    const std::string id = context.env.NewId();
    SEEDCORE_ASSIGN_OR_RETURN(calls.emplace_back(), SubmitOneCall(task, id, context.now));
    if (task.dependencies.empty()) continue;
    dependent.Add(Uuid{id});
    some_depend = true;
  }
  if (some_depend) calls.push_back({kHowTheyWait, MakeParams(dependent)});
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<Rows> answers, context.db.Pipeline(calls));
  MadeRunnable& runnable = context.notes.runnable;
  if (some_depend) {
    runnable.tasks += answers.back().Int(0, 0);
    if (answers.back().Bool(0, 1)) runnable.later = true;
    answers.pop_back();
  }
  std::vector<Submitted> out;
  bool damaged = false;
  for (const Rows& row : answers) {
    const PreparedTask& task = tasks[out.size()];
    Submitted submitted{.seq = row.Int(0, 0),
                        .id = row.Id(0, 1),
                        .error = std::string(row.Text(0, 3)),
                        .duplicate = row.Bool(0, 4),
                        .at = context.now};
    if (!submitted.duplicate) {
      submitted.status = StatusFromName(row.Text(0, 2), damaged);
      context.notes.appended_events = true;
      if (submitted.status == TaskStatus::kQueued && task.dependencies.empty()) {
        const bool later = task.task->run_after && *task.task->run_after > context.now;
        runnable.tasks += later ? 0 : 1;
        runnable.later = runnable.later || later;
      }
    }
    out.push_back(std::move(submitted));
  }
  return out;
}

namespace {

constexpr int kLeaders = 2;
constexpr std::size_t kMaxBatchBytes = 8 << 20;

}  // namespace

PostgresTaskStore::PostgresTaskStore(Database& database, Env& env, std::size_t queue_bound)
    : database_(database),
      env_(env),
      submits_(kLeaders, kMaxBatchBytes, queue_bound),
      finishes_(kLeaders, kMaxBatchBytes, queue_bound) {}

Result<std::vector<SubmitResult>> PostgresTaskStore::Submit(std::span<const NewTask> tasks) {
  if (tasks.empty()) return std::vector<SubmitResult>();
  std::vector<PreparedTask> prepared;
  prepared.reserve(tasks.size());
  for (const NewTask& task : tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(prepared.emplace_back(), PrepareTask(task));
  }
  const bool plain = std::ranges::all_of(tasks, [](const NewTask& task) {
    return task.idempotency_key.empty() && task.depends_on.empty() && task.unique_key.empty();
  });
  return plain ? SubmitPlain(prepared) : SubmitOneByOne(prepared);
}

Result<std::vector<SubmitResult>> PostgresTaskStore::SubmitPlain(std::span<const PreparedTask> tasks) {
  std::vector<std::string> ids;
  ids.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) ids.push_back(env_.NewId());
  SubmitJob job{.tasks = tasks, .ids = ids};
  constexpr std::size_t kRowBytes = 256;
  for (const PreparedTask& task : tasks) {
    job.weight += kRowBytes + task.params.size() + task.task->description.size();
  }
  SEEDCORE_RETURN_IF_ERROR(submits_.Run(job, [this](std::span<SubmitJob* const> jobs) { StoreJobs(jobs); }));
  SEEDCORE_ASSIGN_OR_RETURN(const WallTime at, std::move(job.stored_at));

  std::vector<SubmitResult> results;
  results.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const NewTask& task = *tasks[i].task;
    const TaskStatus status = task.run_immediately ? TaskStatus::kQueued : TaskStatus::kCreated;
    results.push_back({.task = TaskFromNew(task, std::move(ids[i]), status, {}, at)});
  }
  return results;
}

void PostgresTaskStore::StoreJobs(std::span<SubmitJob* const> jobs) {
  const WallTime now = env_.WallNow();
  const Result<WallTime> together = Store(database_, jobs, now);
  for (SubmitJob* job : jobs) {
    job->stored_at = together;
    // One caller's text that cannot be stored must not fail the others. Other errors would only come again.
    const bool fault_of_one = !together && !IsRetryable(together.error().code) && jobs.size() > 1;
    if (fault_of_one) {
      job->stored_at = Store(database_, std::span<SubmitJob* const>(&job, 1), now);
    }
  }
}

Result<std::vector<SubmitResult>> PostgresTaskStore::SubmitOneByOne(std::span<const PreparedTask> tasks) {
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<Submitted> submitted,
                            database_.WriteOnce([&](WriteContext& context) { return SubmitCalls(context, tasks); }));
  std::vector<SubmitResult> results;
  results.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    Submitted& one = submitted[i];
    if (!one.duplicate) {
      results.push_back(
          {.task = TaskFromNew(*tasks[i].task, std::move(one.id), one.status, std::move(one.error), one.at)});
      continue;
    }
    SEEDCORE_ASSIGN_OR_RETURN(TaskRow row,
                              database_.Read([&](Connection& connection) { return SelectTask(connection, one.seq); }));
    SEEDCORE_ASSIGN_OR_RETURN(Task earlier, ToTask(std::move(row)));
    results.push_back({.task = std::move(earlier), .duplicate = true});
  }
  return results;
}

}  // namespace seedcore::store::postgres
