// What may be claimed beside each task's own state: limits and pauses.
#include <algorithm>

#include "store/admission.h"
#include "support/model_store.h"
#include "support/model_transaction.h"

namespace seedcore::test {

using std::chrono_literals::operator""ms;
using store::Task;
using store::TaskStatus;

store::LimitState* ModelStore::LimitOf(store::LimitScope scope, const std::string& name) {
  store::LimitState* every = nullptr;
  for (store::LimitState& state : limits_) {
    if (state.limit.scope != scope) continue;
    if (state.limit.name == name) return &state;
    if (scope == store::LimitScope::kKey && state.limit.name == store::kEveryKey) every = &state;
  }
  return every;
}

bool ModelStore::HasRoom(store::LimitScope scope, const std::string& name) {
  const store::LimitState* state = LimitOf(scope, name);
  if (state == nullptr || (defect_ == Defect::kLimitNotHeld && env_.Random() % 4 == 0)) return true;
  const auto running = std::ranges::count_if(rows_, [&](const Row& row) {
    const std::string& its = scope == store::LimitScope::kType ? row.task.type : row.task.concurrency_key;
    return row.task.status == TaskStatus::kRunning && its == name;
  });
  return store::RoomOf(*state, running, now_) > 0;
}

/// No pause and no limit forbids to claim it; takes its tokens.
bool ModelStore::IsAllowed(const Task& task) {
  if (pauses_.contains(task.type) || !HasRoom(store::LimitScope::kType, task.type)) return false;
  const bool keyed = !task.concurrency_key.empty();
  if (keyed && !HasRoom(store::LimitScope::kKey, task.concurrency_key)) return false;
  if (auto* state = LimitOf(store::LimitScope::kType, task.type)) store::TakeTokens(*state, 1, now_);
  auto* state = keyed ? LimitOf(store::LimitScope::kKey, task.concurrency_key) : nullptr;
  if (state != nullptr) store::TakeTokens(*state, 1, now_);
  return true;
}

Result<void> ModelStore::PutLimit(const store::QueueLimit& limit) {
  SEEDCORE_RETURN_IF_ERROR(store::CheckLimit(limit));
  const Transaction transaction(*this);
  made_runnable_ = true;
  const auto rate = [](const store::QueueLimit& of) {
    return of.rate ? std::tuple(of.rate->tasks, of.rate->interval, of.rate->burst) : std::tuple(0, 0ms, 0);
  };
  for (store::LimitState& state : limits_) {
    if (state.limit.scope != limit.scope || state.limit.name != limit.name) continue;
    if (rate(state.limit) != rate(limit)) {
      state.tokens = limit.rate ? limit.rate->burst : 0;
      state.tokens_at = now_;
    }
    state.limit = limit;
    return {};
  }
  SEEDCORE_RETURN_IF_ERROR(store::CheckRoomFor(static_cast<std::int64_t>(limits_.size()), store::kMaxLimits, "limits"));
  limits_.push_back({limit, limit.rate ? static_cast<double>(limit.rate->burst) : 0.0, now_});
  std::ranges::sort(limits_, {}, [](const auto& state) { return std::pair(state.limit.scope, state.limit.name); });
  return {};
}

Result<bool> ModelStore::DeleteLimit(store::LimitScope scope, const std::string& name) {
  const Transaction transaction(*this);
  made_runnable_ = true;
  return std::erase_if(limits_,
                       [&](const auto& state) { return state.limit.scope == scope && state.limit.name == name; }) > 0;
}

Result<std::vector<store::QueueLimit>> ModelStore::Limits() {
  const Transaction transaction(*this);
  std::vector<store::QueueLimit> out;
  for (const store::LimitState& state : limits_) out.push_back(state.limit);
  return out;
}

Result<store::QueuePause> ModelStore::Pause(const std::string& type, const std::string& reason) {
  SEEDCORE_RETURN_IF_ERROR(store::CheckPause(type, reason));
  const Transaction transaction(*this);
  const auto others = static_cast<std::int64_t>(pauses_.size() - pauses_.count(type));
  SEEDCORE_RETURN_IF_ERROR(store::CheckRoomFor(others, store::kMaxPauses, "pauses"));
  store::QueuePause& pause = pauses_.try_emplace(type, store::QueuePause{type, reason, now_}).first->second;
  pause.reason = reason;
  return pause;
}

Result<bool> ModelStore::Resume(const std::string& type) {
  const Transaction transaction(*this);
  made_runnable_ = true;
  return pauses_.erase(type) > 0;
}

Result<std::vector<store::QueuePause>> ModelStore::Pauses() {
  const Transaction transaction(*this);
  std::vector<store::QueuePause> out;
  for (const auto& [type, pause] : pauses_) out.push_back(pause);
  return out;
}

Result<void> ModelStore::AddExternalTypes(std::span<const std::string> types) {
  SEEDCORE_RETURN_IF_ERROR(store::CheckExternalTypes(types));
  const Transaction transaction(*this);
  const std::vector<std::string> added = store::NewExternalTypes(types, external_types_);
  if (added.empty()) return {};
  SEEDCORE_RETURN_IF_ERROR(store::CheckRoomFor(std::ssize(external_types_) + std::ssize(added) - 1,
                                               store::kMaxExternalTypes, "external types"));
  for (const std::string& type : added) external_types_.push_back({type, now_});
  std::ranges::sort(external_types_, {}, &store::ExternalType::type);
  return {};
}

Result<bool> ModelStore::RemoveExternalType(const std::string& type) {
  const Transaction transaction(*this);
  made_runnable_ = true;
  return std::erase_if(external_types_, [&](const store::ExternalType& one) { return one.type == type; }) > 0;
}

Result<std::vector<store::ExternalType>> ModelStore::ExternalTypes() {
  const Transaction transaction(*this);
  return external_types_;
}

Result<std::vector<store::QueueCounts>> ModelStore::Queues() {
  const Transaction transaction(*this);
  std::map<std::string, store::QueueCounts> queues;
  for (const Row& row : rows_) {
    const bool running = row.task.status == TaskStatus::kRunning;
    if (!running && !Waiting(row)) continue;
    store::QueueCounts& queue = queues[row.task.type];
    queue.type = row.task.type;
    ++(running ? queue.running : row.queued_as_due ? queue.ready : queue.scheduled);
  }
  std::vector<store::QueueCounts> out;
  for (const auto& [type, queue] : queues) out.push_back(queue);
  return out;
}

}  // namespace seedcore::test
