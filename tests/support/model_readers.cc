#include "support/model_readers.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "base/json_binding.h"
#include "base/strings.h"
#include "store/admission.h"
#include "support/model_store.h"
#include "support/model_transaction.h"

namespace seedcore::test {

using store::Task;
using store::TaskStatus;

namespace {

bool Contains(std::string_view text, const std::string& part) {
  return ToLower(text).find(ToLower(part)) != std::string::npos;
}

}  // namespace

bool Matches(const Task& task, const store::TaskFilter& filter) {
  if (filter.status && task.status != *filter.status) return false;
  if (!filter.type.empty() && task.type != filter.type) return false;
  if (!filter.domain.empty() && task.domain != filter.domain) return false;
  if (filter.created_since && task.created_at < *filter.created_since) return false;
  if (filter.dead_letter && task.dead_letter != *filter.dead_letter) return false;
  const std::string result = task.result.is_null() ? "" : WriteJson(task.result);
  return filter.text.empty() || Contains(task.id, filter.text) || Contains(task.type, filter.text) ||
         Contains(task.description, filter.text) || Contains(result, filter.text);
}

Result<Task> ModelStore::Get(const std::string& id_or_prefix) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(const Row* row, Find(id_or_prefix));
  return row->task;
}

Result<store::TaskPage> ModelStore::List(const store::TaskFilter& filter, int limit, const std::string& cursor) {
  const Transaction transaction(*this);
  std::int64_t before = last_seq_ + 1;
  if (!cursor.empty()) {
    const char* const end = cursor.data() + cursor.size();
    const auto [stop, error] = std::from_chars(cursor.data(), end, before);
    if (error != std::errc{} || stop != end || before < 1) {
      return seedcore::Fail(ErrorCode::kInvalidArgument, "not a cursor of an earlier page", "cursor");
    }
  }
  if (limit < 1) return seedcore::Fail(ErrorCode::kInvalidArgument, "expected at least 1", "limit");
  store::TaskPage page;
  std::int64_t last = 0;
  for (auto row = rows_.rbegin(); row != rows_.rend(); ++row) {
    if (row->seq >= before || !Matches(row->task, filter)) continue;
    if (page.items.size() == static_cast<std::size_t>(limit)) {
      page.next_cursor = std::to_string(last);
      break;
    }
    last = row->seq;
    page.items.push_back(row->task);
  }
  return page;
}

Result<std::vector<store::TaskEvent>> ModelStore::Events(const std::string& task_id) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(const Row* row, Find(task_id));
  std::vector<store::TaskEvent> out;
  for (const store::TaskEvent& event : events_) {
    if (event.task_id == row->task.id) out.push_back(event);
  }
  return out;
}

Result<std::vector<store::TaskEvent>> ModelStore::EventsAfter(std::int64_t after, int limit) {
  const Transaction transaction(*this);
  std::vector<store::TaskEvent> out;
  for (const store::TaskEvent& event : events_) {
    if (event.seq > after && out.size() < static_cast<std::size_t>(limit)) out.push_back(event);
  }
  return out;
}

Result<store::TaskCounts> ModelStore::Counts() {
  const Transaction transaction(*this);
  store::TaskCounts counts;
  for (const auto& [status, name] : store::EnumNames(TaskStatus{})) counts.by_status[status] = 0;
  for (const Row& row : rows_) {
    ++counts.by_status[row.task.status];
    if (row.task.dead_letter) ++counts.dead_letters;
    if (!counts.oldest_queued && Claimable(row)) counts.oldest_queued = row.task.created_at;
  }
  return counts;
}

Result<std::optional<WallTime>> ModelStore::NextRunAfter() {
  const Transaction transaction(*this);
  std::optional<WallTime> next;
  for (const Row& row : rows_) {
    if (!Waiting(row) || row.queued_as_due) continue;
    if (!next || *row.task.run_after < *next) next = row.task.run_after;
  }
  for (const store::LimitState& state : limits_) {
    const auto token = store::NextToken(state, now_);
    const bool waits = std::ranges::any_of(rows_, [&](const Row& row) {
      const bool type = state.limit.scope == store::LimitScope::kType;
      return Claimable(row) && (type ? row.task.type : row.task.concurrency_key) == state.limit.name;
    });
    if (token && waits && (!next || *token < *next)) next = token;
  }
  return next;
}

}  // namespace seedcore::test
