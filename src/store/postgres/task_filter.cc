#include "store/postgres/task_filter.h"

#include <string>

#include <fmt/format.h>

#include "base/json_binding.h"

namespace seedcore::store::postgres {
namespace {

/// Conditions joined by AND, with the values of their parameters.
class Conditions {
 public:
  explicit Conditions(const TaskFilter& filter) {
    if (filter.status) AddStatus(*filter.status);
    if (!filter.type.empty()) Add("p.type = ${}", filter.type);
    if (!filter.domain.empty()) {
      Add("p.domain = ${}", filter.domain);
      Add("p.domain <> ''");  // the condition of the partial index
    }
    if (filter.created_since) Add("t.created_at >= ${}", *filter.created_since);
    if (filter.dead_letter) Add(*filter.dead_letter ? "t.dead_letter" : "NOT t.dead_letter");
    if (!filter.text.empty()) {
      Add("(t.id::text ILIKE ${0} OR t.type ILIKE ${0} OR p.description ILIKE ${0} OR r.result::text ILIKE ${0})",
          ContainsPattern(filter.text));
    }
  }

  /// By what tells of the few tasks in that state, where there is any (schema/places.cc).
  void AddStatus(TaskStatus status) {
    const std::string_view name = EnumToString(status);
    switch (status) {
      case TaskStatus::kCreated:
      case TaskStatus::kFailed:
      case TaskStatus::kCancelled:
      case TaskStatus::kRetry: Add("t.listed_as = ${}::taskstatus", name); return;
      case TaskStatus::kRunning: Add("t.seq IN (SELECT seq FROM seedcore_running(NULL))"); [[fallthrough]];
      case TaskStatus::kQueued:
      case TaskStatus::kCompleted: Add("t.status = ${}::taskstatus", name); return;
    }
  }

  void Add(std::string_view condition) {
    sql_ += sql_.empty() ? " WHERE " : " AND ";
    sql_ += condition;
  }
  /// `condition` says {} or {0} where the number of the parameter belongs.
  template <class T>
  void Add(std::string_view condition, const T& value) {
    params_.Add(value);
    Add(fmt::format(fmt::runtime(condition), params_.values().size()));
  }

  [[nodiscard]] const std::string& sql() const { return sql_; }
  [[nodiscard]] const Params& params() const { return params_; }

 private:
  static std::string ContainsPattern(std::string_view text) {
    std::string pattern = "%";
    for (const char c : text) {
      if (c == '%' || c == '_' || c == '\\') pattern += '\\';
      pattern += c;
    }
    return pattern += '%';
  }

  std::string sql_;
  Params params_;
};

}  // namespace

Result<std::vector<TaskRow>> QueryTasks(Connection& connection, const TaskFilter& filter, std::int64_t before,
                                        int limit) {
  Conditions conditions(filter);
  if (before > 0) conditions.Add("t.seq < ${}", before);
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            connection.RunOnce(fmt::format("{}{} ORDER BY t.seq DESC LIMIT {}", SEEDCORE_PG_TASK_SELECT,
                                                           conditions.sql(), limit),
                                               conditions.params()));
  std::vector<TaskRow> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) out.push_back(ReadTaskRow(rows, row));
  return out;
}

Result<std::vector<TaskName>> QueryDeadLetters(Connection& connection, const TaskFilter& filter, std::int64_t after,
                                               int limit) {
  TaskFilter dead = filter;
  dead.dead_letter = true;
  Conditions conditions(dead);
  conditions.Add("t.seq > ${}", after);
  SEEDCORE_ASSIGN_OR_RETURN(
      const Rows rows,
      connection.RunOnce(fmt::format("SELECT t.seq, t.id FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN "
                                     "task_result r ON r.seq = t.seq{} ORDER BY t.seq LIMIT {}",
                                     conditions.sql(), limit),
                         conditions.params()));
  std::vector<TaskName> out;
  for (int row = 0; row < rows.size(); ++row) out.push_back({rows.Int(row, 0), rows.Id(row, 1)});
  return out;
}

}  // namespace seedcore::store::postgres
