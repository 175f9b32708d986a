#include "store/sqlite/task_filter.h"

#include <functional>
#include <vector>

#include "base/json_binding.h"
#include "store/sqlite/task_row.h"

namespace seedcore::store::sqlite {
namespace {

/// Conditions joined by AND, with the values of their parameters in order.
struct Conditions {
  std::string sql;
  std::vector<std::function<void(Statement&, int)>> values;

  void Add(std::string_view condition) {
    sql += sql.empty() ? "WHERE " : " AND ";
    sql += condition;
  }
  template <class T>
  void Add(std::string_view condition, T value) {
    Add(condition);
    values.push_back(
        [value = std::move(value)](Statement& statement, int parameter) { statement.Bind(parameter, value); });
  }
};

Conditions ConditionsOf(const TaskFilter& filter) {
  Conditions out;
  if (filter.status) {
    out.Add("t.status = ?", EnumToString(*filter.status));
    switch (*filter.status) {
      // Repeats the condition of the partial index, which SQLite needs in order to use it.
      case TaskStatus::kCreated:
      case TaskStatus::kFailed:
      case TaskStatus::kCancelled:
      case TaskStatus::kRetry:
        out.Add("t.status <> 'queued' AND t.status <> 'running' AND t.status <> 'completed'");
        break;
      case TaskStatus::kRunning: out.Add("t.status = 'running'"); break;
      case TaskStatus::kQueued:
      case TaskStatus::kCompleted: break;
    }
  }
  if (!filter.type.empty()) out.Add("t.type = ?", filter.type);
  if (!filter.domain.empty()) {
    out.Add("t.domain <> ''");
    out.Add("t.domain = ?", filter.domain);
  }
  if (filter.created_since) out.Add("t.created_at >= ?", *filter.created_since);
  if (filter.dead_letter) out.Add(*filter.dead_letter ? "t.dead_letter = 1" : "t.dead_letter = 0");
  if (!filter.text.empty()) {
    const std::string pattern = ContainsPattern(filter.text);
    out.Add("(t.id LIKE ? ESCAPE '\\'", pattern);
    for (const char* column : {"t.type", "p.description", "r.result"}) {
      out.sql += std::string(" OR ") + column + " LIKE ? ESCAPE '\\'";
      out.values.push_back([pattern](Statement& statement, int parameter) { statement.Bind(parameter, pattern); });
    }
    out.sql += ")";
  }
  return out;
}

Result<Statement> Run(Database& database, const std::string& sql, const Conditions& conditions) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement statement, database.PrepareOnce(sql));
  int parameter = 0;
  for (const auto& bind : conditions.values) bind(statement, ++parameter);
  return statement;
}

}  // namespace

Result<Statement> QueryTasks(Database& database, const TaskFilter& filter, std::int64_t before, int limit) {
  Conditions conditions = ConditionsOf(filter);
  if (before > 0) conditions.Add("t.seq < ?", before);
  const std::string sql = "SELECT " SEEDCORE_TASK_COLUMNS SEEDCORE_TASK_FROM + conditions.sql +
                          " ORDER BY t.seq DESC LIMIT " + std::to_string(limit);
  return Run(database, sql, conditions);
}

Result<Statement> QueryDeadLetters(Database& database, const TaskFilter& filter, std::int64_t after, int limit) {
  TaskFilter dead = filter;
  dead.dead_letter = true;
  Conditions conditions = ConditionsOf(dead);
  conditions.Add("t.seq > ?", after);
  const std::string sql = "SELECT t.seq, t.id, t.status, t.attempts, t.fencing_token, t.owner_id" SEEDCORE_TASK_FROM +
                          conditions.sql + " ORDER BY t.seq LIMIT " + std::to_string(limit);
  return Run(database, sql, conditions);
}

std::string ContainsPattern(std::string_view text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern += '%';
}

}  // namespace seedcore::store::sqlite
