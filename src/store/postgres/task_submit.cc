#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "base/uuid.h"
#include "store/postgres/submit_writes.h"
#include "store/postgres/task_history.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"
#include "store/turn.h"

namespace seedcore::store::postgres {
namespace {

// $1 now, $2 to $16 one array per column, $17 the number of its flow, null when it cannot run yet, $18 how far behind
// the first turn of its flow, $19 the number of its batch; $20 to $23 the flows, $24 the batches; $25 how many are
// created, $26 how many queued; $27 the number of its place in line with others of its flow, null when it stands alone.
// A flow takes its turns in one go. There is no join in it: the planner knows nothing of how long arrays are, and would
// compare each task with each other one. The statement keeps the places itself, see schema_hot_path.cc; nothing follows
// it in its transaction.
constexpr char kStorePlain[] =
    "WITH given AS MATERIALIZED (SELECT g.*, nextval('tasks_seq_seq') AS seq, "
    "CASE WHEN g.run THEN 'queued' ELSE 'created' END::taskstatus AS status, "
    "(SELECT array_agg(seedcore_take_turns(f.type, f.domain, f.priority, f.n) ORDER BY f.number) "
    "FROM unnest($20::text[], $21::text[], $22::integer[], $23::bigint[]) WITH ORDINALITY AS f (type, domain, "
    "priority, "
    "n, number))[g.flow] + g.behind AS turn, "
    "(SELECT array_agg(seedcore_new_batch()) FROM generate_series(1, $24::integer))[g.part] AS batch "
    "FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::json[], $7::integer[], $8::double precision[], "
    "$9::timestamptz[], $10::timestamptz[], $11::integer[], $12::bigint[], $13::bigint[], $14::text[], $15::boolean[], "
    "$16::text[], $17::integer[], $18::bigint[], $19::integer[], $27::integer[]) AS g (id, type, domain, description, "
    "params, "
    "priority, "
    "drift_score, run_after, deadline, max_attempts, retry_base_ms, retry_max_ms, traceparent, run, concurrency_key, "
    "flow, behind, part, line) WHERE (SELECT set_config('seedcore.keeps_places', 'on', true)) = 'on'), "
    "stored AS (INSERT INTO tasks (seq, id, created_at, updated_at, run_after, deadline, drift_score, retry_base_ms, "
    "retry_max_ms, status, runnable, priority, max_attempts, type, concurrency_key, turn) "
    "SELECT seq, id, $1::timestamptz, $1, run_after, deadline, drift_score, retry_base_ms, retry_max_ms, status, "
    "CASE WHEN NOT run THEN 0 WHEN turn IS NULL THEN 2 ELSE 1 END, priority, max_attempts, type, concurrency_key, turn "
    "FROM given), "
    "payload AS (INSERT INTO task_payload (seq, type, domain, description, params, traceparent, submit_event) "
    "SELECT seq, type, domain, description, params, traceparent, batch FROM given), "
    "ready AS (INSERT INTO task_ready (seq, turn, type) SELECT seq, turn, type FROM given WHERE turn IS NOT NULL AND "
    "line IS NULL), "
    "lines AS (INSERT INTO ready_batch (turn, type, seqs) SELECT min(turn), min(type), array_agg(seq ORDER BY turn) "
    "FROM given WHERE line IS NOT NULL GROUP BY line), "
    "counts AS (INSERT INTO task_count AS c (status, shard, n) SELECT status, pg_backend_pid(), n FROM "
    "(VALUES ('created'::taskstatus, $25::bigint), ('queued', $26::bigint)) v (status, n) WHERE n > 0 "
    "ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n) "
    "INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, task_seqs) "
    "SELECT batch, $1, 0, status, 0, 'submitted', array_agg(seq ORDER BY seq) FROM given GROUP BY batch, status";

/// A claim locks a batch, and others pass over it: large enough to save, small enough to share.
constexpr std::int64_t kMostInLine = 64;
constexpr std::int64_t kLeastInLine = 16;

constexpr char kSubmitOne[] =
    "SELECT seq, id, status, error, duplicate FROM seedcore_submit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
    "$13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";

/// The parameters of kStorePlain.
class PlainColumns {
 public:
  explicit PlainColumns(WallTime now) : now_(now) {}

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
    AddToFlow(task);
    AddToBatch(task.run_immediately ? queued_ : created_);
  }
  /// How many can run, now or later.
  [[nodiscard]] std::int64_t runs() const { return queued_.tasks; }
  [[nodiscard]] Params ToParams() const {
    Array types(Oid::kText), domains(Oid::kText), priorities(Oid::kInt4), sizes(Oid::kInt8);
    for (const Flow& flow : flows_) {
      types.Add(flow.type);
      domains.Add(flow.domain);
      priorities.Add(flow.priority);
      sizes.Add(flow.tasks);
    }
    return MakeParams(now_, ids_, types_, domains_, descriptions_, params_, priorities_, drift_scores_, run_after_,
                      deadlines_, max_attempts_, bases_, maxima_, traceparents_, run_, concurrency_keys_, flow_,
                      behind_, parts_, types, domains, priorities, sizes, batches_, created_.tasks, queued_.tasks,
                      Lines());
  }

 private:
  /// Tasks that take their turns in one go, see store/turn.h.
  struct Flow {
    std::string_view type;
    std::string_view domain;
    int priority;
    std::int64_t tasks = 0;
  };
  /// Of a task that can run: which of its flow it is, counted from 0.
  struct Place {
    std::optional<std::size_t> flow;
    std::int64_t number = 0;
  };
  /// Tasks of one state share rows of history.
  struct Shared {
    std::int64_t tasks = 0;
    int batch = 0;  ///< the newest, counted from 1
  };

  void AddToFlow(const NewTask& task) {
    if (!task.run_immediately || (task.run_after && *task.run_after > now_)) {
      flow_.Add(std::optional<std::int32_t>());
      behind_.Add(std::int64_t{0});
      places_.push_back({});
      return;
    }
    const auto is_its = [&](const Flow& flow) {
      return flow.priority == task.priority && flow.type == task.type && flow.domain == task.domain;
    };
    // Most tasks come in one flow, and few in many.
    if (last_ >= flows_.size() || !is_its(flows_[last_])) {
      const auto [found, added] = numbers_.try_emplace({task.type, task.domain, task.priority}, flows_.size());
      last_ = found->second;
      if (added) flows_.push_back({task.type, task.domain, task.priority});
    }
    flow_.Add(static_cast<std::int32_t>(last_ + 1));
    places_.push_back({last_, flows_[last_].tasks});
    behind_.Add(flows_[last_].tasks++ * kTurn);
  }
  /// Which tasks of a flow stand in line together: as many as fill a batch, and the rest alone if it is small.
  [[nodiscard]] Array Lines() const {
    std::vector<std::int32_t> first;  // by flow, the number of its first batch
    std::int32_t lines = 0;
    for (const Flow& flow : flows_) {
      first.push_back(lines);
      lines += static_cast<std::int32_t>(flow.tasks / kMostInLine) + 1;
    }
    Array out(Oid::kInt4);
    for (const Place& place : places_) {
      if (!place.flow) {
        out.Add(std::optional<std::int32_t>());
        continue;
      }
      const std::int64_t begin = place.number / kMostInLine * kMostInLine;
      const bool together = flows_[*place.flow].tasks - begin >= kLeastInLine;
      const auto line = static_cast<std::int32_t>(first[*place.flow] + place.number / kMostInLine);
      out.Add(together ? std::optional(line) : std::nullopt);
    }
    return out;
  }
  void AddToBatch(Shared& shared) {
    if (shared.tasks++ % kMostInBatch == 0) shared.batch = ++batches_;
    parts_.Add(std::int32_t{shared.batch});
  }

  WallTime now_;
  Array ids_{Oid::kUuid}, types_{Oid::kText}, domains_{Oid::kText}, descriptions_{Oid::kText}, params_{Oid::kJson};
  Array priorities_{Oid::kInt4}, drift_scores_{Oid::kFloat8}, run_after_{Oid::kTimestamptz};
  Array deadlines_{Oid::kTimestamptz}, max_attempts_{Oid::kInt4}, bases_{Oid::kInt8}, maxima_{Oid::kInt8};
  Array traceparents_{Oid::kText}, run_{Oid::kBool}, concurrency_keys_{Oid::kText};
  Array flow_{Oid::kInt4}, behind_{Oid::kInt8}, parts_{Oid::kInt4};
  std::vector<Flow> flows_;
  std::vector<Place> places_;                                                           ///< by task
  std::map<std::tuple<std::string_view, std::string_view, int>, std::size_t> numbers_;  ///< places in flows_
  std::size_t last_ = 0;                                                                ///< of the task before
  Shared created_, queued_;
  std::int32_t batches_ = 0;
};

/// At `now`, which it returns.
Result<WallTime> Store(Database& database, std::span<SubmitJob* const> jobs, WallTime now) {
  PlainColumns columns(now);
  for (const SubmitJob* job : jobs) {
    for (std::size_t i = 0; i < job->tasks.size(); ++i) columns.Add(job->tasks[i], job->ids[i]);
  }
  return database.WriteOnce(columns.runs(), [&](WriteContext& context) -> Result<WallTime> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Run(kStorePlain, columns.ToParams()));
    context.notes.appended_events = true;
    context.notes.made_runnable = columns.runs() > 0;
    context.notes.runnable_tasks = columns.runs();
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
