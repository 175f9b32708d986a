#include "store/sqlite/schedule_store.h"

#include <fmt/format.h>

#include "store/sqlite/submit_writes.h"

namespace seedcore::store::sqlite {
namespace {

#define SEEDCORE_SCHEDULE_COLUMNS                                                                                \
  "name, cron, time_zone, every_ms, task, catch_up, max_catch_up, overlap, next_run_at, revision, last_run_at, " \
  "last_task_id, last_error, created_at, updated_at"
constexpr char kSelectAll[] = "SELECT " SEEDCORE_SCHEDULE_COLUMNS " FROM schedule ORDER BY name";
constexpr char kSelectOne[] = "SELECT " SEEDCORE_SCHEDULE_COLUMNS " FROM schedule WHERE name = ?1";
constexpr char kSelectDue[] =
    "SELECT " SEEDCORE_SCHEDULE_COLUMNS " FROM schedule WHERE next_run_at <= ?1 ORDER BY next_run_at, name LIMIT ?2";
constexpr char kCountSchedules[] = "SELECT count(*) FROM schedule";
constexpr char kNextFiring[] = "SELECT min(next_run_at) FROM schedule WHERE next_run_at IS NOT NULL";
constexpr char kPutSchedule[] =
    "INSERT INTO schedule (name, cron, time_zone, every_ms, task, catch_up, max_catch_up, overlap, next_run_at, "
    "revision, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?10) ON CONFLICT (name) DO "
    "UPDATE SET cron = excluded.cron, time_zone = excluded.time_zone, every_ms = excluded.every_ms, task = "
    "excluded.task, catch_up = excluded.catch_up, max_catch_up = excluded.max_catch_up, overlap = excluded.overlap, "
    "next_run_at = excluded.next_run_at, revision = revision + 1, updated_at = excluded.updated_at";
constexpr char kDeleteSchedule[] = "DELETE FROM schedule WHERE name = ?1";
constexpr char kMove[] =
    "UPDATE schedule SET next_run_at = ?2, revision = revision + 1, updated_at = ?3 WHERE name = ?1";
// ?1 name, ?2 revision, ?3 due, ?4 next, ?5 the newest time fired
constexpr char kAdvance[] =
    "UPDATE schedule SET next_run_at = ?4, last_run_at = coalesce(?5, last_run_at) "
    "WHERE name = ?1 AND revision = ?2 AND next_run_at = ?3";
constexpr char kNote[] =
    "UPDATE schedule SET last_task_id = coalesce(?2, last_task_id), last_error = ?3 WHERE name = ?1";

template <class E>
E EnumOr(const Statement& row, int column, E fallback) {
  return EnumFromString<E>(row.Text(column)).value_or(fallback);
}

Result<Schedule> ReadSchedule(const Statement& row) {
  Schedule out;
  out.name = row.Text(0);
  out.cron = row.Text(1);
  out.time_zone = row.Text(2);
  out.every = std::chrono::milliseconds(row.Int(3));
  SEEDCORE_ASSIGN_OR_RETURN(out.task, ReadScheduledTask(row.Text(4)));
  out.catch_up = EnumOr(row, 5, CatchUp::kOne);
  out.max_catch_up = static_cast<int>(row.Int(6));
  out.overlap = EnumOr(row, 7, Overlap::kAllow);
  out.next_run_at = row.OptionalTime(8);
  out.paused = !out.next_run_at;
  out.revision = row.Int(9);
  out.last_run_at = row.OptionalTime(10);
  out.last_task_id = row.Text(11);
  out.last_error = row.Text(12);
  out.created_at = row.Time(13);
  out.updated_at = row.Time(14);
  return out;
}

Result<std::vector<Schedule>> ReadSchedules(Statement rows) {
  std::vector<Schedule> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), ReadSchedule(rows));
  }
}

Result<std::optional<Schedule>> Find(Database& database, const std::string& name) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kSelectOne, name));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return std::nullopt;
  SEEDCORE_ASSIGN_OR_RETURN(Schedule schedule, ReadSchedule(row));
  return schedule;
}

Result<Schedule> Need(Database& database, const std::string& name) {
  SEEDCORE_ASSIGN_OR_RETURN(std::optional<Schedule> found, Find(database, name));
  if (found) return std::move(*found);
  return Fail(ErrorCode::kNotFound, fmt::format("there is no schedule '{}'", name));
}

Result<Fired> FireOne(WriteContext& context, const Firing& firing, std::span<const PreparedTask> tasks) {
  SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kAdvance, firing.name, firing.revision, firing.due,
                                                                  firing.next, firing.last_run));
  Fired fired{.ours = changed == 1, .task_ids = {}};
  if (!fired.ours) return fired;
  std::string holder;
  for (const PreparedTask& task : tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(const Submitted submitted, InsertTask(context, task));
    if (submitted.duplicate) {
      ++fired.held_back;
      holder = submitted.earlier.task.id;
    } else {
      fired.task_ids.push_back(submitted.id);
    }
  }
  const std::string error = ErrorAfter(firing, fired.task_ids.empty() ? holder : "");
  const auto newest = fired.task_ids.empty() ? std::nullopt : std::optional<std::string_view>(fired.task_ids.back());
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kNote, firing.name, newest, NullIfEmpty(error)));
  return fired;
}

}  // namespace

Result<Schedule> SqliteScheduleStore::PutSchedule(const Schedule& schedule) {
  SEEDCORE_RETURN_IF_ERROR(CheckSchedule(schedule));
  const std::string task = WriteScheduledTask(schedule.task);
  auto put = writer_.Run([&](WriteContext& context) -> Result<Schedule> {
    SEEDCORE_ASSIGN_OR_RETURN(const auto earlier, Find(context.db, schedule.name));
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t count, context.db.QueryInt(kCountSchedules));
    if (!earlier && count >= kMaxSchedules) {
      return Fail(ErrorCode::kResourceExhausted, fmt::format("there are {} schedules already", count));
    }
    SEEDCORE_RETURN_IF_ERROR(
        context.db.Execute(kPutSchedule, schedule.name, NullIfEmpty(schedule.cron), schedule.time_zone,
                           schedule.every.count() == 0 ? std::nullopt : std::optional(schedule.every), task,
                           EnumToString(schedule.catch_up), schedule.max_catch_up, EnumToString(schedule.overlap),
                           schedule.paused ? std::nullopt : schedule.next_run_at, context.now));
    return Need(context.db, schedule.name);
  });
  if (put) changed_.Emit();
  return put;
}

Result<bool> SqliteScheduleStore::DeleteSchedule(const std::string& name) {
  return writer_.Run([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kDeleteSchedule, name));
    return changed > 0;
  });
}

Result<Schedule> SqliteScheduleStore::GetSchedule(const std::string& name) {
  return readers_.Run([&](Database& database) { return Need(database, name); });
}

Result<std::vector<Schedule>> SqliteScheduleStore::Schedules() {
  return readers_.Run([](Database& database) -> Result<std::vector<Schedule>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSelectAll));
    return ReadSchedules(std::move(rows));
  });
}

Result<Schedule> SqliteScheduleStore::MoveSchedule(const std::string& name, std::optional<WallTime> next) {
  auto moved = writer_.Run([&](WriteContext& context) -> Result<Schedule> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kMove, name, next, context.now));
    return Need(context.db, name);
  });
  if (moved) changed_.Emit();
  return moved;
}

Result<std::vector<Schedule>> SqliteScheduleStore::DueSchedules(WallTime now, int limit) {
  return readers_.Run([&](Database& database) -> Result<std::vector<Schedule>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSelectDue, now, limit));
    return ReadSchedules(std::move(rows));
  });
}

Result<std::optional<WallTime>> SqliteScheduleStore::NextFiring() {
  return readers_.Run([](Database& database) -> Result<std::optional<WallTime>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kNextFiring));
    SEEDCORE_RETURN_IF_ERROR(row.Next());
    return row.OptionalTime(0);
  });
}

Result<Fired> SqliteScheduleStore::Fire(const Firing& firing) {
  std::vector<PreparedTask> tasks;
  for (const NewTask& task : firing.tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(tasks.emplace_back(), PrepareTask(task));
  }
  return writer_.Run([&](WriteContext& context) { return FireOne(context, firing, tasks); });
}

Subscription SqliteScheduleStore::OnSchedules(std::function<void()> listener) {
  return changed_.Connect(std::move(listener));
}

}  // namespace seedcore::store::sqlite
