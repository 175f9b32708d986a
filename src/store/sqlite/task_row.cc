#include "store/sqlite/task_row.h"

#include <utility>

#include <fmt/format.h>

#include "base/json_binding.h"

namespace seedcore::store::sqlite {
namespace {

std::unexpected<Error> NotJson(std::string_view what) {
  return Fail(ErrorCode::kCorrupt, fmt::format("the stored {} is not valid JSON", what));
}

}  // namespace

TaskRow ReadTaskRow(const Statement& row) {
  TaskRow out;
  Task& task = out.task;
  int column = 0;
  const auto text = [&] { return std::string(row.Text(column++)); };
  const auto integer = [&] { return static_cast<int>(row.Int(column++)); };
  const auto millis = [&] { return std::chrono::milliseconds(row.Int(column++)); };
  const auto optional_time = [&] { return row.OptionalTime(column++); };

  out.seq = row.Int(column++);
  task.id = text();
  task.type = text();
  task.domain = text();
  task.status = StatusFromName(row.Text(column++), out.damaged);
  task.priority = integer();
  task.attempts = integer();
  task.fencing_token = row.Int(column++);
  task.cancel_requested = integer() != 0;
  task.dead_letter = integer() != 0;
  task.retry.max_attempts = integer();
  task.retry.base = millis();
  task.retry.max = millis();
  task.drift_score = row.Double(column++);
  task.created_at = row.Time(column++);
  task.updated_at = row.Time(column++);
  task.run_after = optional_time();
  task.deadline = optional_time();
  task.started_at = optional_time();
  task.finished_at = optional_time();
  task.lease_expires_at = optional_time();
  task.owner_id = text();
  task.error = text();
  task.error_code = text();
  task.hold_reason = text();
  task.description = text();
  out.params = text();
  out.depends_on = text();
  task.traceparent = text();
  task.idempotency_key = text();
  out.result = text();
  return out;
}

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

}  // namespace seedcore::store::sqlite
