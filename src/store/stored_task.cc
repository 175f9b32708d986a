#include "store/stored_task.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/json_binding.h"

namespace seedcore::store {
namespace {

std::unexpected<Error> NotJson(std::string_view what) {
  return Fail(ErrorCode::kCorrupt, fmt::format("the stored {} is not valid JSON", what));
}

}  // namespace

Result<Task> ToTask(TaskRow row) {
  if (row.damaged) return Fail(ErrorCode::kCorrupt, fmt::format("the stored row of task {} is damaged", row.task.id));
  SEEDCORE_ASSIGN_OR_RETURN(row.task.params, ParseStoredObject(row.params, "params"));
  if (!row.result.empty()) {
    auto result = ParseJson(row.result);
    if (!result) return NotJson("result");
    row.task.result = std::move(*result);
  }
  if (!row.depends_on.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(row.task.depends_on, ParseStoredStrings(row.depends_on, "depends_on"));
  }
  return std::move(row.task);
}

Result<Task> ToTask(Result<TaskRow> row) {
  if (!row) return std::unexpected(std::move(row.error()));
  return ToTask(std::move(*row));
}

Result<std::int64_t> ParseTaskCursor(const std::string& cursor) {
  std::int64_t before = 0;
  if (cursor.empty()) return before;
  const char* const end = cursor.data() + cursor.size();
  const auto [stop, error] = std::from_chars(cursor.data(), end, before);
  if (error != std::errc{} || stop != end || before < 1) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a cursor of an earlier page", cursor), "cursor");
  }
  return before;
}

Result<TaskPage> ToTaskPage(std::vector<TaskRow> rows, int limit) {
  TaskPage page;
  if (rows.size() > static_cast<std::size_t>(limit)) {
    rows.resize(static_cast<std::size_t>(limit));
    page.next_cursor = std::to_string(rows.back().seq);
  }
  page.items.reserve(rows.size());
  for (TaskRow& row : rows) {
    SEEDCORE_ASSIGN_OR_RETURN(page.items.emplace_back(), ToTask(std::move(row)));
  }
  return page;
}

TaskStatus StatusFromName(std::string_view name, bool& damaged) {
  const auto status = EnumFromString<TaskStatus>(name);
  if (!status) damaged = true;
  return status.value_or(TaskStatus::kFailed);
}

Result<json::object> ParseStoredObject(std::string_view text, std::string_view what) {
  if (text == "{}") return json::object();
  auto value = ParseJson(text);
  if (!value || !value->is_object()) return NotJson(what);
  return std::move(value->get_object());
}

Result<std::vector<std::string>> ParseStoredStrings(std::string_view text, std::string_view what) {
  auto value = ParseJson(text);
  if (!value || !value->is_array()) return NotJson(what);
  std::vector<std::string> strings;
  for (const json::value& element : value->get_array()) {
    if (!element.is_string()) return NotJson(what);
    strings.emplace_back(element.get_string());
  }
  return strings;
}

std::string WriteStrings(std::span<const std::string> strings) {
  std::string out = "[";
  for (const std::string& text : strings) {
    if (out.size() > 1) out += ',';
    AppendJsonString(out, text);
  }
  return out += ']';
}

std::string WriteObject(const json::object& object) {
  std::string out;
  AppendJsonObject(out, object);
  return out;
}

Error SnoozedTooLong(const Snoozed& last) {
  return {ErrorCode::kDeadlineExceeded,
          fmt::format("put off {} times, or for more than {} days: {}", kMaxSnoozes, kLongestSnooze.count() / 24,
                      last.reason),
          {}};
}

}  // namespace seedcore::store
