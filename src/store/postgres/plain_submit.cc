#include "store/postgres/plain_submit.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/task_history.h"
#include "store/postgres/task_row.h"
#include "store/turn.h"

namespace seedcore::store::postgres {
namespace {

/// A claim locks a batch, and others pass over it: large enough to save, small enough to share.
constexpr std::int64_t kMostInLine = 64;
constexpr std::int64_t kLeastInLine = 16;

// $1 now, $2 how many tasks, $3 their ids, $4 their params, $5 their order by flow, null: as given; $6 to $9 the flows.
// $10 to $15 the pieces of the line: flow, how far behind its first turn, first and last task in that order, type,
// whether they stand together. $16 to $18 the batches of history: state, first and last task. $19 how many are created,
// $20 how many queued. Then what each task has of its own, or, when tasks are alike, all have in common.
//
// An array goes through SELECT unnest(..), unnest(..): as a function in FROM each array would be copied, element by
// element, into a table of its own. There is no join in it: the planner knows nothing of how long arrays are, and would
// compare each task with each other one.
constexpr char kText[] = R"sql(
WITH taken AS MATERIALIZED (
  SELECT CASE WHEN set_config('seedcore.keeps_places', 'on', true) = 'on' THEN
      ARRAY(SELECT nextval('tasks_seq_seq') FROM generate_series(1, $2::integer)) END AS seqs,
    ARRAY(SELECT seedcore_take_turns(f.type, f.domain, f.priority, f.n)
      FROM unnest($6::text[], $7::text[], $8::integer[], $9::bigint[]) AS f (type, domain, priority, n)) AS turns,
    ARRAY(SELECT seedcore_new_batch() FROM generate_series(1, cardinality($16::text[]))) AS batches),
by_flow AS MATERIALIZED (
  SELECT CASE WHEN $5::integer[] IS NULL THEN t.seqs
    ELSE ARRAY(SELECT t.seqs[o.at] FROM unnest($5) WITH ORDINALITY AS o (at, number) ORDER BY o.number) END AS seqs
  FROM taken t),
stored AS (
  INSERT INTO tasks (seq, id, created_at, updated_at, run_after, deadline, drift_score, retry_base_ms, retry_max_ms,
    status, runnable, priority, max_attempts, type, concurrency_key, turn)
  SELECT g.seq, g.id, $1::timestamptz, $1, g.run_after, g.deadline, g.drift_score, g.retry_base_ms, g.retry_max_ms,
    CASE WHEN g.run THEN 'queued' ELSE 'created' END::taskstatus,
    CASE WHEN NOT g.run THEN 0 WHEN g.flow IS NULL THEN 2 ELSE 1 END, g.priority, g.max_attempts, g.type,
    g.concurrency_key, (SELECT turns FROM taken)[g.flow] + g.behind
  FROM (SELECT unnest((SELECT seqs FROM taken)) AS seq, unnest($3::uuid[]) AS id, {run_after} AS run_after,
    {deadline} AS deadline, {drift_score} AS drift_score, {base} AS retry_base_ms, {max} AS retry_max_ms, {run} AS run,
    {priority} AS priority, {attempts} AS max_attempts, {type} AS type, {key} AS concurrency_key, {flow} AS flow,
    {behind} AS behind) g),
payload AS (
  INSERT INTO task_payload (seq, type, domain, description, params, traceparent, submit_event)
  SELECT g.seq, g.type, g.domain, g.description, g.params, g.traceparent, (SELECT batches FROM taken)[g.part]
  FROM (SELECT unnest((SELECT seqs FROM taken)) AS seq, {type} AS type, {domain} AS domain,
    {description} AS description, unnest($4::json[]) AS params, {traceparent} AS traceparent, {part} AS part) g),
alone AS (
  INSERT INTO task_ready (seq, turn, type)
  SELECT o.seqs[n], t.turns[l.flow] + l.behind + (n - l.first) * {turn}::bigint, l.type
  FROM taken t CROSS JOIN by_flow o
  CROSS JOIN unnest($10::integer[], $11::bigint[], $12::integer[], $13::integer[], $14::text[], $15::boolean[])
    AS l (flow, behind, first, last, type, together)
  CROSS JOIN LATERAL generate_series(l.first, l.last) AS n
  WHERE NOT l.together),
together AS (
  INSERT INTO ready_batch (turn, type, seqs)
  SELECT t.turns[l.flow] + l.behind, l.type, o.seqs[l.first : l.last]
  FROM taken t CROSS JOIN by_flow o
  CROSS JOIN unnest($10, $11, $12, $13, $14, $15) AS l (flow, behind, first, last, type, together)
  WHERE l.together),
counts AS (
  INSERT INTO task_count AS c (status, shard, n)
  SELECT status, pg_backend_pid(), n FROM (VALUES ('created'::taskstatus, $19::bigint), ('queued', $20::bigint))
    AS v (status, n) WHERE n > 0
  ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n)
INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, task_seqs)
SELECT t.batches[h.number], $1, 0, h.status::taskstatus, 0, 'submitted',
  CASE WHEN $5 IS NULL THEN o.seqs[h.first : h.last]
    ELSE ARRAY(SELECT seq FROM unnest(o.seqs[h.first : h.last]) AS s (seq) ORDER BY seq) END
FROM taken t CROSS JOIN by_flow o
CROSS JOIN unnest($16::text[], $17::integer[], $18::integer[]) WITH ORDINALITY AS h (status, first, last, number)
)sql";

// One task alone, as most come. The server sets up a plan in full whenever it runs it, and this one is small. $1 now,
// $2 id, $3 params, $4 to $16 what a task has of its own, $17 whether it can run now, $18 the mark that was announced,
// if any: claims that have heard of it wait for this lock, which goes when the task can be seen.
constexpr char kOne[] = R"sql(
WITH taken AS MATERIALIZED (
  SELECT pg_advisory_xact_lock(24308, $18::integer), set_config('seedcore.keeps_places', 'on', true),
    nextval('tasks_seq_seq') AS seq,
    CASE WHEN $17::boolean THEN seedcore_take_turns($4::text, $5::text, $7::integer, 1) END AS turn,
    seedcore_new_batch() AS batch, CASE WHEN $15::boolean THEN 'queued' ELSE 'created' END::taskstatus AS status),
stored AS (
  INSERT INTO tasks (seq, id, created_at, updated_at, run_after, deadline, drift_score, retry_base_ms, retry_max_ms,
    status, runnable, priority, max_attempts, type, concurrency_key, turn)
  SELECT seq, $2::uuid, $1::timestamptz, $1, $9::timestamptz, $10::timestamptz, $8::double precision, $12::bigint,
    $13::bigint, status, CASE WHEN NOT $15 THEN 0 WHEN NOT $17 THEN 2 ELSE 1 END, $7, $11::integer, $4, $16::text, turn
  FROM taken),
payload AS (
  INSERT INTO task_payload (seq, type, domain, description, params, traceparent, submit_event)
  SELECT seq, $4, $5, $6::text, $3::json, $14::text, batch FROM taken),
ready AS (INSERT INTO task_ready (seq, turn, type) SELECT seq, turn, $4 FROM taken WHERE $17),
counts AS (
  INSERT INTO task_count AS c (status, shard, n) SELECT status, pg_backend_pid(), 1 FROM taken
  ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n)
INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, task_seqs)
SELECT batch, $1, 0, status, 0, 'submitted', ARRAY[seq] FROM taken
)sql";

std::string Text(bool alike) {
  int number = 20;
  const auto column = [&](std::string_view type) {
    ++number;
    return alike ? fmt::format("${}::{}", number, type) : fmt::format("unnest(${}::{}[])", number, type);
  };
  using fmt::arg;
  const std::string type = column("text"), domain = column("text"), description = column("text"),
                    priority = column("integer"), drift_score = column("double precision"),
                    run_after = column("timestamptz"), deadline = column("timestamptz"), attempts = column("integer"),
                    base = column("bigint"), max = column("bigint"), traceparent = column("text"),
                    run = column("boolean"), key = column("text"), flow = column("integer"),
                    behind = alike ? fmt::format("generate_series(0, ($2 - 1) * {0}::bigint, {0})", kTurn)
                                   : column("bigint"),
                    part = alike ? fmt::format("generate_series(0, $2 - 1) / {} + 1", kMostInBatch) : column("integer");
  return fmt::format(fmt::runtime(kText), arg("type", type), arg("domain", domain), arg("description", description),
                     arg("priority", priority), arg("drift_score", drift_score), arg("run_after", run_after),
                     arg("deadline", deadline), arg("attempts", attempts), arg("base", base), arg("max", max),
                     arg("traceparent", traceparent), arg("run", run), arg("key", key), arg("flow", flow),
                     arg("behind", behind), arg("part", part), arg("turn", kTurn));
}

/// Of static storage, as connections want it.
const char* TextFor(bool alike) {
  static const std::string for_alike = Text(true);
  static const std::string for_others = Text(false);
  return (alike ? for_alike : for_others).c_str();
}

/// Calls `visit(type, value)` for what each task has of its own, or all have in common, in the order of kOne and kText;
/// `value(task)` is a task's.
template <class Visit>
void ForEachColumn(const Visit& visit) {
  visit(Oid::kText, [](const NewTask& task) { return std::string_view(task.type); });
  visit(Oid::kText, [](const NewTask& task) { return std::string_view(task.domain); });
  visit(Oid::kText, [](const NewTask& task) { return std::string_view(task.description); });
  visit(Oid::kInt4, [](const NewTask& task) { return task.priority; });
  visit(Oid::kFloat8, [](const NewTask& task) { return task.drift_score; });
  visit(Oid::kTimestamptz, [](const NewTask& task) { return task.run_after; });
  visit(Oid::kTimestamptz, [](const NewTask& task) { return task.deadline; });
  visit(Oid::kInt4, [](const NewTask& task) { return task.retry.max_attempts; });
  visit(Oid::kInt8, [](const NewTask& task) { return task.retry.base; });
  visit(Oid::kInt8, [](const NewTask& task) { return task.retry.max; });
  visit(Oid::kText, [](const NewTask& task) { return NullIfEmpty(task.traceparent); });
  visit(Oid::kBool, [](const NewTask& task) { return task.run_immediately; });
  visit(Oid::kText, [](const NewTask& task) { return NullIfEmpty(task.concurrency_key); });
}

}  // namespace

void PlainSubmit::Add(const PreparedTask& prepared, const std::string& id) {
  tasks_.push_back(&prepared);
  ids_.push_back(&id);
  if (prepared.task->run_immediately) ++runs_;
  if (RunsNow(*prepared.task)) ++run_now_;
}

bool PlainSubmit::AreAlike() const {
  bool alike = true;
  ForEachColumn([&](Oid, const auto& value) {
    const auto first = value(*tasks_.front()->task);
    alike = alike && std::ranges::all_of(tasks_, [&](const PreparedTask* task) { return value(*task->task) == first; });
  });
  return alike;
}

PlainSubmit::Flows PlainSubmit::FindFlows() const {
  Flows flows;
  flows.of_task.reserve(tasks_.size());
  std::map<std::tuple<std::string_view, std::string_view, int>, std::size_t> numbers;
  std::size_t last = 0;  // of the task before: most tasks come in one flow, and few in many
  for (const PreparedTask* prepared : tasks_) {
    const NewTask& task = *prepared->task;
    if (!RunsNow(task)) {
      flows.of_task.push_back(-1);
      continue;
    }
    const auto is_of = [&](const NewTask& other) {
      return other.priority == task.priority && other.type == task.type && other.domain == task.domain;
    };
    if (last >= flows.all.size() || !is_of(*flows.all[last].first)) {
      const auto [found, added] = numbers.try_emplace({task.type, task.domain, task.priority}, flows.all.size());
      last = found->second;
      if (added) flows.all.push_back({.first = &task});
    }
    ++flows.all[last].tasks;
    flows.of_task.push_back(static_cast<std::int32_t>(last));
  }
  return flows;
}

std::vector<std::int32_t> PlainSubmit::Order(const Flows& flows) const {
  const auto group = [&](std::int32_t task) {
    const auto at = static_cast<std::size_t>(task);
    return tasks_[at]->task->run_immediately ? flows.of_task[at] : -2;
  };
  std::vector<std::int32_t> order(tasks_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](std::int32_t task) { return std::pair(group(task), task); });
  return order;
}

/// Of each column one value when they are alike, an array of each task's value when they are not.
void PlainSubmit::AddColumns(Params& params, bool alike) const {
  ForEachColumn([&](Oid type, const auto& value) {
    if (alike) {
      params.Add(value(*tasks_.front()->task));
      return;
    }
    Array array(type);
    for (const PreparedTask* task : tasks_) array.Add(value(*task->task));
    params.Add(array);
  });
}

/// As many of a flow as fill a batch stand together, and the rest alone if it is small.
void PlainSubmit::AddLine(Params& params, const Flows& flows) const {
  Array flow(Oid::kInt4), behind(Oid::kInt8), first(Oid::kInt4), last(Oid::kInt4), types(Oid::kText),
      together(Oid::kBool);
  const auto waiting = std::ranges::count(flows.of_task, -1);
  std::int64_t at = waiting + 1;
  for (std::size_t i = 0; i < flows.all.size(); ++i) {
    for (std::int64_t begin = 0; begin < flows.all[i].tasks; begin += kMostInLine) {
      const std::int64_t count = std::min(kMostInLine, flows.all[i].tasks - begin);
      flow.Add(static_cast<std::int32_t>(i + 1));
      behind.Add(begin * kTurn);
      first.Add(static_cast<std::int32_t>(at));
      last.Add(static_cast<std::int32_t>(at + count - 1));
      types.Add(flows.all[i].first->type);
      together.Add(count >= kLeastInLine);
      at += count;
    }
  }
  for (const Array* array : {&flow, &behind, &first, &last, &types, &together}) params.Add(*array);
}

void PlainSubmit::AddHistory(Params& params) const {
  Array statuses(Oid::kText), first(Oid::kInt4), last(Oid::kInt4);
  const auto total = static_cast<std::int32_t>(tasks_.size());
  const auto created = static_cast<std::int32_t>(total - runs_);
  const auto add = [&](const char* status, std::int32_t begin, std::int32_t end) {
    for (; begin < end; begin += kMostInBatch) {
      statuses.Add(std::string_view(status));
      first.Add(begin + 1);
      last.Add(std::min(begin + kMostInBatch, end));
    }
  };
  add("created", 0, created);
  add("queued", created, total);
  for (const Array* array : {&statuses, &first, &last}) params.Add(*array);
  params.Add(std::int64_t{created});
  params.Add(runs_);
}

/// Where each task that is not like all others stands in its flow and in the history.
void PlainSubmit::AddPlacesOfTasks(Params& params, const Flows& flows, const std::vector<std::int32_t>& order) const {
  std::vector<std::int64_t> taken(flows.all.size(), 0);
  Array behind(Oid::kInt8);
  for (const std::int32_t flow : flows.of_task) {
    behind.Add(flow < 0 ? std::int64_t{0} : taken[static_cast<std::size_t>(flow)]++ * kTurn);
  }
  const auto created = tasks_.size() - static_cast<std::size_t>(runs_);
  const std::size_t batches_of_created = (created + kMostInBatch - 1) / kMostInBatch;
  std::vector<std::int32_t> part_of(tasks_.size());
  for (std::size_t place = 0; place < order.size(); ++place) {
    const std::size_t part =
        place < created ? place / kMostInBatch : batches_of_created + (place - created) / kMostInBatch;
    part_of[static_cast<std::size_t>(order[place])] = static_cast<std::int32_t>(part + 1);
  }
  Array parts(Oid::kInt4);
  for (const std::int32_t part : part_of) parts.Add(part);
  params.Add(behind);
  params.Add(parts);
}

Call PlainSubmit::ToCallOfOne(std::uint32_t announced) const {
  Call call{.sql = kOne, .params = MakeParams(now_, Uuid{*ids_.front()}, tasks_.front()->params)};
  AddColumns(call.params, true);
  call.params.Add(RunsNow(*tasks_.front()->task));
  call.params.Add(LockOfAnnounced(announced));
  return call;
}

Call PlainSubmit::ToCallOfMany() const {
  const bool alike = AreAlike();
  const Flows flows = FindFlows();
  const std::vector<std::int32_t> order = Order(flows);
  Call call{.sql = TextFor(alike), .params = {}};
  Params& params = call.params;
  params.Add(now_);
  params.Add(static_cast<int>(tasks_.size()));
  Array ids(Oid::kUuid), task_params(Oid::kJson);
  for (const std::string* id : ids_) ids.Add(Uuid{*id});
  for (const PreparedTask* task : tasks_) task_params.Add(task->params);
  params.Add(ids);
  params.Add(task_params);
  if (std::ranges::is_sorted(order)) {
    params.Add(std::nullopt);
  } else {
    Array places(Oid::kInt4);
    for (const std::int32_t task : order) places.Add(task + 1);
    params.Add(places);
  }
  Array types(Oid::kText), domains(Oid::kText), priorities(Oid::kInt4), sizes(Oid::kInt8);
  for (const Flow& flow : flows.all) {
    types.Add(flow.first->type);
    domains.Add(flow.first->domain);
    priorities.Add(flow.first->priority);
    sizes.Add(flow.tasks);
  }
  for (const Array* array : {&types, &domains, &priorities, &sizes}) params.Add(*array);
  AddLine(params, flows);
  AddHistory(params);
  AddColumns(params, alike);
  if (alike) {
    params.Add(flows.all.empty() ? std::nullopt : std::optional(std::int32_t{1}));
  } else {
    Array flow(Oid::kInt4);
    for (const std::int32_t of_task : flows.of_task) {
      flow.Add(of_task < 0 ? std::nullopt : std::optional(of_task + 1));
    }
    params.Add(flow);
    AddPlacesOfTasks(params, flows, order);
  }
  return call;
}

}  // namespace seedcore::store::postgres
