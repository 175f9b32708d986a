#include <algorithm>

#include <fmt/format.h>

#include "base/uuid.h"
#include "store/postgres/submit_writes.h"
#include "store/postgres/task_history.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

// $1 now, then one array per column. A flow takes its turns in one go, at its first task (`place` 1); who waits for its
// time takes one then. There is no join in it but with the few batches: the planner knows nothing of how long arrays
// are, and would compare each task with each other one.
constexpr char kStorePlain[] =
    "WITH given AS (SELECT g.*, nextval('tasks_seq_seq') AS seq, "
    "CASE WHEN g.run THEN 'queued' ELSE 'created' END::taskstatus AS status, "
    "g.run AND (g.run_after IS NULL OR g.run_after <= $1) AS ready, (g.number - 1) / " SEEDCORE_PG_BATCH
    " AS part "
    "FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::json[], $7::integer[], $8::double precision[], "
    "$9::timestamptz[], $10::timestamptz[], $11::integer[], $12::bigint[], $13::bigint[], $14::text[], $15::boolean[], "
    "$16::text[]) WITH ORDINALITY AS g (id, type, domain, description, params, priority, drift_score, run_after, "
    "deadline, max_attempts, retry_base_ms, retry_max_ms, traceparent, run, concurrency_key, number)), "
    "placed AS MATERIALIZED (SELECT *, row_number() OVER flow AS place, "
    "count(*) OVER (PARTITION BY ready, type, domain, priority) AS places FROM given "
    "WINDOW flow AS (PARTITION BY ready, type, domain, priority ORDER BY seq)), "
    "begun AS MATERIALIZED (SELECT *, CASE WHEN ready AND place = 1 THEN "
    "seedcore_take_turns(type, domain, priority, places) END AS turn FROM placed), "
    "turned AS MATERIALIZED (SELECT *, max(turn) OVER (PARTITION BY ready, type, domain, priority) "
    "+ (place - 1) * 1000 AS its_turn FROM begun), "
    "batches AS MATERIALIZED (SELECT part, status, seedcore_new_batch() AS batch FROM "
    "(SELECT DISTINCT part, status FROM placed) p), "
    "stored AS (INSERT INTO tasks (seq, id, created_at, updated_at, run_after, deadline, drift_score, retry_base_ms, "
    "retry_max_ms, status, runnable, priority, max_attempts, type, concurrency_key, turn) "
    "SELECT seq, id, $1::timestamptz, $1, run_after, deadline, drift_score, retry_base_ms, retry_max_ms, status, "
    "CASE WHEN NOT run THEN 0 WHEN run_after > $1 THEN 2 ELSE 1 END, priority, max_attempts, type, concurrency_key, "
    "its_turn FROM turned ORDER BY seq), "
    "payload AS (INSERT INTO task_payload (seq, type, domain, description, params, traceparent, submit_event) "
    "SELECT seq, type, domain, description, params, traceparent, batch FROM placed JOIN batches USING (part, status) "
    "ORDER BY seq) "
    "INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, task_seqs) "
    "SELECT batch, $1, 0, status, 0, 'submitted', array_agg(seq ORDER BY seq) FROM placed "
    "JOIN batches USING (part, status) GROUP BY batch, status";

constexpr char kSubmitOne[] =
    "SELECT seq, id, status, error, duplicate FROM seedcore_submit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
    "$13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";

/// The columns of kStorePlain.
class PlainColumns {
 public:
  void Add(const PreparedTask& prepared, const std::string& id) {
    const NewTask& task = *prepared.task;
    ids_.Add(Uuid{id});
    types_.Add(task.type);
    domains_.Add(task.domain);
    descriptions_.Add(task.description);
    params_.Add(prepared.params);
    priorities_.Add(task.priority);
    drift_scores_.Add(task.drift_score);
    run_after_.Add(task.run_after);
    deadlines_.Add(task.deadline);
    max_attempts_.Add(task.retry.max_attempts);
    bases_.Add(task.retry.base);
    maxima_.Add(task.retry.max);
    traceparents_.Add(NullIfEmpty(task.traceparent));
    run_.Add(task.run_immediately);
    concurrency_keys_.Add(NullIfEmpty(task.concurrency_key));
    if (task.run_immediately) ++runs_;
  }
  /// How many can run.
  [[nodiscard]] std::int64_t runs() const { return runs_; }
  [[nodiscard]] Params ToParams(WallTime now) const {
    return MakeParams(now, ids_, types_, domains_, descriptions_, params_, priorities_, drift_scores_, run_after_,
                      deadlines_, max_attempts_, bases_, maxima_, traceparents_, run_, concurrency_keys_);
  }

 private:
  Array ids_{Oid::kUuid}, types_{Oid::kText}, domains_{Oid::kText}, descriptions_{Oid::kText}, params_{Oid::kJson};
  Array priorities_{Oid::kInt4}, drift_scores_{Oid::kFloat8}, run_after_{Oid::kTimestamptz};
  Array deadlines_{Oid::kTimestamptz}, max_attempts_{Oid::kInt4}, bases_{Oid::kInt8}, maxima_{Oid::kInt8};
  Array traceparents_{Oid::kText}, run_{Oid::kBool}, concurrency_keys_{Oid::kText};
  std::int64_t runs_ = 0;
};

Result<WallTime> Store(Database& database, const PlainColumns& columns) {
  return database.WriteOnce(columns.runs(), [&](WriteContext& context) -> Result<WallTime> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Run(kStorePlain, columns.ToParams(context.now)));
    context.notes.appended_events = true;
    context.notes.made_runnable = columns.runs() > 0;
    context.notes.runnable_tasks = columns.runs();
    return context.now;
  });
}

Result<WallTime> Store(Database& database, std::span<SubmitJob* const> jobs) {
  PlainColumns columns;
  for (const SubmitJob* job : jobs) {
    for (std::size_t i = 0; i < job->tasks.size(); ++i) columns.Add(job->tasks[i], job->ids[i]);
  }
  return Store(database, columns);
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
  for (const PreparedTask& task : tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(calls.emplace_back(), SubmitOneCall(task, context.env.NewId(), context.now));
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context.db.Pipeline(calls));
  std::vector<Submitted> out;
  bool damaged = false;
  for (const Rows& row : answers) {
    Submitted submitted{.seq = row.Int(0, 0),
                        .id = row.Id(0, 1),
                        .error = std::string(row.Text(0, 3)),
                        .duplicate = row.Bool(0, 4),
                        .at = context.now};
    if (!submitted.duplicate) {
      submitted.status = StatusFromName(row.Text(0, 2), damaged);
      context.notes.appended_events = true;
      if (submitted.status == TaskStatus::kQueued) context.notes.made_runnable = true;
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
  const Result<WallTime> together = Store(database_, jobs);
  for (SubmitJob* job : jobs) {
    job->stored_at = together;
    // One caller's text that cannot be stored must not fail the others. Other errors would only come again.
    const bool fault_of_one = !together && !IsRetryable(together.error().code) && jobs.size() > 1;
    if (fault_of_one) job->stored_at = Store(database_, std::span<SubmitJob* const>(&job, 1));
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
