#include "store/postgres/schedule_store.h"

#include <fmt/format.h>

#include "store/postgres/submit_writes.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

#define SEEDCORE_PG_SCHEDULE_COLUMNS                                                                             \
  "name, cron, time_zone, every_ms, task, catch_up, max_catch_up, overlap, next_run_at, revision, last_run_at, " \
  "last_task_id, last_error, created_at, updated_at"
constexpr char kSelectAll[] = "SELECT " SEEDCORE_PG_SCHEDULE_COLUMNS " FROM schedule ORDER BY name COLLATE \"C\"";
constexpr char kSelectOne[] = "SELECT " SEEDCORE_PG_SCHEDULE_COLUMNS " FROM schedule WHERE name = $1";
constexpr char kSelectDue[] =
    "SELECT " SEEDCORE_PG_SCHEDULE_COLUMNS
    " FROM schedule WHERE next_run_at <= $1 ORDER BY next_run_at, name COLLATE \"C\" LIMIT $2";
constexpr char kCountOthers[] = "SELECT count(*) FROM schedule WHERE name <> $1";
constexpr char kNextFiring[] = "SELECT min(next_run_at) FROM schedule WHERE next_run_at IS NOT NULL";
constexpr char kPutSchedule[] =
    "INSERT INTO schedule AS s (name, cron, time_zone, every_ms, task, catch_up, max_catch_up, overlap, next_run_at, "
    "revision, created_at, updated_at) VALUES ($1, $2, $3, $4, $5::json, $6, $7, $8, $9, 1, $10, $10) ON CONFLICT "
    "(name) "
    "DO UPDATE SET cron = excluded.cron, time_zone = excluded.time_zone, every_ms = excluded.every_ms, task = "
    "excluded.task, catch_up = excluded.catch_up, max_catch_up = excluded.max_catch_up, overlap = excluded.overlap, "
    "next_run_at = excluded.next_run_at, revision = s.revision + 1, updated_at = excluded.updated_at "
    "RETURNING " SEEDCORE_PG_SCHEDULE_COLUMNS;
constexpr char kDeleteSchedule[] = "DELETE FROM schedule WHERE name = $1";
constexpr char kMove[] =
    "UPDATE schedule SET next_run_at = $2, revision = revision + 1, updated_at = $3 WHERE name = $1 "
    "RETURNING " SEEDCORE_PG_SCHEDULE_COLUMNS;
// $1 name, $2 revision, $3 due, $4 next, $5 the newest time fired. Whoever comes second waits for the row and finds it
// moved on.
constexpr char kAdvance[] =
    "UPDATE schedule SET next_run_at = $4, last_run_at = coalesce($5, last_run_at) "
    "WHERE name = $1 AND revision = $2 AND next_run_at = $3";
constexpr char kNote[] =
    "UPDATE schedule SET last_task_id = coalesce($2, last_task_id), last_error = $3 WHERE name = $1";

Result<Schedule> ReadSchedule(const Rows& rows, int row) {
  Schedule out;
  out.name = rows.Text(row, 0);
  out.cron = rows.Text(row, 1);
  out.time_zone = rows.Text(row, 2);
  if (!rows.IsNull(row, 3)) out.every = std::chrono::milliseconds(rows.Int(row, 3));
  SEEDCORE_ASSIGN_OR_RETURN(out.task, ReadScheduledTask(rows.Text(row, 4)));
  out.catch_up = EnumFromString<CatchUp>(rows.Text(row, 5)).value_or(CatchUp::kOne);
  out.max_catch_up = static_cast<int>(rows.Int(row, 6));
  out.overlap = EnumFromString<Overlap>(rows.Text(row, 7)).value_or(Overlap::kAllow);
  out.next_run_at = rows.OptionalTime(row, 8);
  out.paused = !out.next_run_at;
  out.revision = rows.Int(row, 9);
  out.last_run_at = rows.OptionalTime(row, 10);
  out.last_task_id = rows.Text(row, 11);
  out.last_error = rows.Text(row, 12);
  out.created_at = rows.Time(row, 13);
  out.updated_at = rows.Time(row, 14);
  return out;
}

Result<std::vector<Schedule>> ReadSchedules(const Rows& rows) {
  std::vector<Schedule> out;
  for (int row = 0; row < rows.size(); ++row) {
    SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), ReadSchedule(rows, row));
  }
  return out;
}

Result<Schedule> OnlySchedule(const Rows& rows, const std::string& name) {
  if (!rows.empty()) return ReadSchedule(rows, 0);
  return Fail(ErrorCode::kNotFound, fmt::format("there is no schedule '{}'", name));
}

Result<Fired> FireOne(WriteContext& context, const Firing& firing, std::span<const PreparedTask> tasks) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows advanced,
                            context.db.Query(kAdvance, std::string_view(firing.name), firing.revision, firing.due,
                                             firing.next, firing.last_run));
  Fired fired{.ours = advanced.changed() == 1, .task_ids = {}};
  if (!fired.ours) return fired;
  std::string holder;
  std::vector<Submitted> submitted;
  if (!tasks.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(submitted, SubmitCalls(context, tasks));
  }
  for (const Submitted& task : submitted) {
    if (task.duplicate) {
      ++fired.held_back;
      holder = task.id;
    } else {
      fired.task_ids.push_back(task.id);
    }
  }
  const std::string error = ErrorAfter(firing, fired.task_ids.empty() ? holder : "");
  const auto newest = fired.task_ids.empty() ? std::nullopt : std::optional<std::string_view>(fired.task_ids.back());
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(kNote, std::string_view(firing.name), newest, NullIfEmpty(error)));
  return fired;
}

}  // namespace

Result<Schedule> PostgresScheduleStore::PutSchedule(const Schedule& schedule) {
  SEEDCORE_RETURN_IF_ERROR(CheckSchedule(schedule));
  const std::string task = WriteScheduledTask(schedule.task);
  auto put = database_.Write([&](WriteContext& context) -> Result<Schedule> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows others, context.db.Query(kCountOthers, std::string_view(schedule.name)));
    if (others.Int(0, 0) >= kMaxSchedules) {
      return Fail(ErrorCode::kResourceExhausted, fmt::format("there are {} schedules already", others.Int(0, 0)));
    }
    SEEDCORE_ASSIGN_OR_RETURN(
        const Rows rows, context.db.Query(kPutSchedule, std::string_view(schedule.name), NullIfEmpty(schedule.cron),
                                          std::string_view(schedule.time_zone),
                                          schedule.every.count() == 0 ? std::nullopt : std::optional(schedule.every),
                                          std::string_view(task), EnumToString(schedule.catch_up),
                                          schedule.max_catch_up, EnumToString(schedule.overlap),
                                          schedule.paused ? std::nullopt : schedule.next_run_at, context.now));
    return ReadSchedule(rows, 0);
  });
  if (put) changed_.Emit();
  return put;
}

Result<bool> PostgresScheduleStore::DeleteSchedule(const std::string& name) {
  return database_.WriteOnce([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kDeleteSchedule, std::string_view(name)));
    return rows.changed() > 0;
  });
}

Result<Schedule> PostgresScheduleStore::GetSchedule(const std::string& name) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kSelectOne, std::string_view(name));
  }));
  return OnlySchedule(rows, name);
}

Result<std::vector<Schedule>> PostgresScheduleStore::Schedules() {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([](Connection& connection) { return connection.Query(kSelectAll); }));
  return ReadSchedules(rows);
}

Result<Schedule> PostgresScheduleStore::MoveSchedule(const std::string& name, std::optional<WallTime> next) {
  auto moved = database_.WriteOnce([&](WriteContext& context) -> Result<Schedule> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kMove, std::string_view(name), next, context.now));
    return OnlySchedule(rows, name);
  });
  if (moved) changed_.Emit();
  return moved;
}

Result<std::vector<Schedule>> PostgresScheduleStore::DueSchedules(WallTime now, int limit) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kSelectDue, now, std::int64_t{limit});
  }));
  return ReadSchedules(rows);
}

Result<std::optional<WallTime>> PostgresScheduleStore::NextFiring() {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([](Connection& connection) { return connection.Query(kNextFiring); }));
  return rows.OptionalTime(0, 0);
}

Result<Fired> PostgresScheduleStore::Fire(const Firing& firing) {
  std::vector<PreparedTask> tasks;
  for (const NewTask& task : firing.tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(tasks.emplace_back(), PrepareTask(task));
  }
  return database_.Write([&](WriteContext& context) { return FireOne(context, firing, tasks); });
}

Subscription PostgresScheduleStore::OnSchedules(std::function<void()> listener) {
  return changed_.Connect(std::move(listener));
}

}  // namespace seedcore::store::postgres
