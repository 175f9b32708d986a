// Schedules of the model.
#include <algorithm>

#include <fmt/format.h>

#include "support/model_store.h"
#include "support/model_transaction.h"

namespace seedcore::test {
namespace {

std::unexpected<Error> NoSchedule(const std::string& name) {
  return seedcore::Fail(ErrorCode::kNotFound, fmt::format("there is no schedule '{}'", name));
}

}  // namespace

Result<store::Schedule> ModelStore::PutSchedule(const store::Schedule& schedule) {
  SEEDCORE_RETURN_IF_ERROR(store::CheckSchedule(schedule));
  store::Schedule put = schedule;
  {
    const Transaction transaction(*this);
    const auto earlier = schedules_.find(schedule.name);
    if (earlier == schedules_.end() && schedules_.size() >= static_cast<std::size_t>(store::kMaxSchedules)) {
      return seedcore::Fail(ErrorCode::kResourceExhausted, "too many schedules");
    }
    const store::Schedule before = earlier == schedules_.end() ? store::Schedule{} : earlier->second;
    put.revision = before.revision + 1;
    put.last_run_at = before.last_run_at;
    put.last_task_id = before.last_task_id;
    put.last_error = before.last_error;
    put.created_at = earlier == schedules_.end() ? now_ : before.created_at;
    put.updated_at = now_;
    if (put.paused) put.next_run_at.reset();
    put.paused = !put.next_run_at;
    schedules_[put.name] = put;
  }
  schedules_signal_.Emit();
  return put;
}

Result<bool> ModelStore::DeleteSchedule(const std::string& name) {
  const Transaction transaction(*this);
  return schedules_.erase(name) > 0;
}

Result<store::Schedule> ModelStore::GetSchedule(const std::string& name) {
  const Transaction transaction(*this);
  const auto found = schedules_.find(name);
  if (found == schedules_.end()) return NoSchedule(name);
  return found->second;
}

Result<std::vector<store::Schedule>> ModelStore::Schedules() {
  const Transaction transaction(*this);
  std::vector<store::Schedule> out;
  for (const auto& [name, schedule] : schedules_) out.push_back(schedule);
  return out;
}

Result<store::Schedule> ModelStore::MoveSchedule(const std::string& name, std::optional<WallTime> next) {
  store::Schedule moved;
  {
    const Transaction transaction(*this);
    const auto found = schedules_.find(name);
    if (found == schedules_.end()) return NoSchedule(name);
    found->second.next_run_at = next;
    found->second.paused = !next;
    ++found->second.revision;
    found->second.updated_at = now_;
    moved = found->second;
  }
  schedules_signal_.Emit();
  return moved;
}

Result<std::vector<store::Schedule>> ModelStore::DueSchedules(WallTime now, int limit) {
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<store::Schedule> due, Schedules());
  std::erase_if(due, [&](const store::Schedule& s) { return !s.next_run_at || *s.next_run_at > now; });
  std::ranges::sort(due, [](const store::Schedule& a, const store::Schedule& b) {
    return std::pair(*a.next_run_at, a.name) < std::pair(*b.next_run_at, b.name);
  });
  if (due.size() > static_cast<std::size_t>(limit)) due.resize(static_cast<std::size_t>(limit));
  return due;
}

Result<std::optional<WallTime>> ModelStore::NextFiring() {
  const Transaction transaction(*this);
  std::optional<WallTime> next;
  for (const auto& [name, schedule] : schedules_) {
    if (schedule.next_run_at && (!next || *schedule.next_run_at < *next)) next = schedule.next_run_at;
  }
  return next;
}

Result<store::Fired> ModelStore::Fire(const store::Firing& firing) {
  const Transaction transaction(*this);
  const auto found = schedules_.find(firing.name);
  if (found == schedules_.end()) return store::Fired{};
  store::Schedule& schedule = found->second;
  if (schedule.revision != firing.revision || schedule.next_run_at != firing.due) return store::Fired{};
  SEEDCORE_ASSIGN_OR_RETURN(const auto submitted, SubmitAll(firing.tasks));
  store::Fired fired{.ours = true, .task_ids = {}};
  std::string holder;
  for (const store::SubmitResult& result : submitted) {
    if (result.duplicate) {
      ++fired.held_back;
      holder = result.task.id;
    } else {
      fired.task_ids.push_back(result.task.id);
    }
  }
  schedule.next_run_at = firing.next;
  schedule.paused = !firing.next;
  if (firing.last_run) schedule.last_run_at = firing.last_run;
  if (!fired.task_ids.empty()) schedule.last_task_id = fired.task_ids.back();
  schedule.last_error = store::ErrorAfter(firing, fired.task_ids.empty() ? holder : "");
  return fired;
}

}  // namespace seedcore::test
