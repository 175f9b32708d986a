#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"
#include "store/task.h"

/// What the stores share about tasks and JSON as they are stored.
namespace seedcore::store {

/// A stored task whose JSON has not been parsed yet: who holds a connection only copies text, the caller parses it.
struct TaskRow {
  std::int64_t seq = 0;
  std::int64_t turn = 0;  ///< turn.h; 0 when none was given yet
  Task task;              ///< without params, result and depends_on
  std::string params;
  std::string result;
  std::string depends_on;
  bool damaged = false;  ///< a column holds what the schema forbids
};

/// kCorrupt when a column is damaged or the stored JSON is not JSON.
[[nodiscard]] Result<Task> ToTask(TaskRow row);
[[nodiscard]] Result<Task> ToTask(Result<TaskRow> row);

/// The place of the last task of a page in the order of submission; to callers it is opaque. 0 for the first page;
/// kInvalidArgument: not a cursor of ours.
[[nodiscard]] Result<std::int64_t> ParseTaskCursor(const std::string& cursor);
/// A page out of `limit` rows and one more, which tells that there is another page.
[[nodiscard]] Result<TaskPage> ToTaskPage(std::vector<TaskRow> rows, int limit);

/// The status called `name`; sets `damaged` when there is none.
[[nodiscard]] TaskStatus StatusFromName(std::string_view name, bool& damaged);

/// What a task fails with whose handlers have put it off too often.
[[nodiscard]] Error SnoozedTooLong(const Snoozed& last);

/// Stored as NULL when empty.
[[nodiscard]] inline std::optional<std::string_view> NullIfEmpty(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return text;
}

/// Parses a stored JSON object or array of strings; kCorrupt names `what`.
[[nodiscard]] Result<json::object> ParseStoredObject(std::string_view text, std::string_view what);
[[nodiscard]] Result<std::vector<std::string>> ParseStoredStrings(std::string_view text, std::string_view what);
[[nodiscard]] std::string WriteStrings(std::span<const std::string> strings);
[[nodiscard]] std::string WriteObject(const json::object& object);

}  // namespace seedcore::store
