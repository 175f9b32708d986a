#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "store/prepared_task.h"
#include "support/model_store.h"
#include "support/model_transaction.h"

namespace seedcore::test {

using store::TaskStatus;

namespace {

bool SameContent(const store::NewTask& a, const store::NewTask& b) {
  const auto rest = [](const store::NewTask& t) {
    return std::tuple(t.type, t.description, t.domain, t.depends_on, t.drift_score, t.priority, t.run_after, t.deadline,
                      t.retry.max_attempts, t.retry.base, t.retry.max, t.run_immediately, t.concurrency_key,
                      t.unique_key, t.unique_for);
  };
  return a.params == b.params && rest(a) == rest(b);
}

}  // namespace

Result<std::vector<store::SubmitResult>> ModelStore::Submit(std::span<const store::NewTask> tasks) {
  const Transaction transaction(*this);
  return SubmitAll(tasks);
}

Result<std::vector<store::SubmitResult>> ModelStore::SubmitAll(std::span<const store::NewTask> tasks) {
  const std::size_t rows = rows_.size(), events = events_.size();
  const std::int64_t last_event = last_event_;
  std::vector<store::SubmitResult> out;
  for (const store::NewTask& task : tasks) {
    auto submitted = SubmitOne(task);
    if (!submitted) {
      rows_.resize(rows);
      events_.resize(events);
      last_event_ = last_event;
      made_runnable_ = false;
      return std::unexpected(submitted.error());
    }
    out.push_back(std::move(*submitted));
  }
  if (defect_ == Defect::kSubmitForgotten && rows_.size() > rows && env_.Random() % 16 == 0) {
    std::erase_if(events_, [&](const store::TaskEvent& event) { return event.task_id == rows_.back().task.id; });
    rows_.pop_back();
  }
  return out;
}

Result<store::SubmitResult> ModelStore::SubmitOne(const store::NewTask& task) {
  if (task.type.empty()) return seedcore::Fail(ErrorCode::kInvalidArgument, "a task needs a type", "type");
  if (task.priority < 1 || task.priority > 10 || task.retry.max_attempts < 1 || task.retry.max_attempts > 100) {
    return seedcore::Fail(ErrorCode::kInvalidArgument, "priority or max_attempts is out of range");
  }
  for (const Row& row : rows_) {
    if (task.idempotency_key.empty() || row.task.idempotency_key != task.idempotency_key) continue;
    if (!SameContent(row.given, task)) return seedcore::Fail(ErrorCode::kConflict, "the key has other content");
    return store::SubmitResult{.task = row.task, .duplicate = true};
  }
  if (task.unique_for.count() < 0 || (task.unique_for.count() > 0 && task.unique_key.empty())) {
    return seedcore::Fail(ErrorCode::kInvalidArgument, "unique_for needs a unique_key", "unique_for");
  }
  if (task.concurrency_key == store::kEveryKey) {
    return seedcore::Fail(ErrorCode::kInvalidArgument, "not the name of a key", "concurrency_key");
  }
  if (const Row* holder = UniqueHolder(task.unique_key)) return store::SubmitResult{holder->task, true};
  for (const std::string& id : task.depends_on) {
    if (FindExact(id) == nullptr) return seedcore::Fail(ErrorCode::kNotFound, "no such task", "depends_on");
  }
  Row& row = rows_.emplace_back();
  row.seq = ++last_seq_;
  row.given = task;
  row.dependencies.insert(task.depends_on.begin(), task.depends_on.end());
  row.queued_as_due = !task.run_after || *task.run_after <= now_;
  row.task = store::TaskFromNew(task, env_.NewId(), task.run_immediately ? TaskStatus::kQueued : TaskStatus::kCreated,
                                {}, now_);
  if (const Row* failed = FailedDependency(row)) {
    row.task.status = TaskStatus::kCreated;
    Append(row, "submitted", {});
    const auto why =
        fmt::format("it depends on task {}, which is {}", failed->task.id, EnumToString(failed->task.status));
    Fail(row, {ErrorCode::kNonRetryable, why, {}});
  } else {
    Append(row, "submitted", {});
    if (Waiting(row)) made_runnable_ = true;
  }
  return store::SubmitResult{.task = row.task};
}

const ModelStore::Row* ModelStore::UniqueHolder(const std::string& key) {
  if (key.empty() || (defect_ == Defect::kUniqueKeyForgotten && env_.Random() % 4 == 0)) return nullptr;
  for (const Row& row : rows_) {
    if (row.task.unique_key != key) continue;
    if (!IsTerminal(row.task.status) || row.task.created_at + row.given.unique_for > now_) return &row;
  }
  return nullptr;
}

}  // namespace seedcore::test
