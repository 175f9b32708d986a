#include "store/postgres/takeover.h"

#include <fmt/format.h>

namespace seedcore::store::postgres {
namespace {

constexpr char kIsEarlier[] =
    "SELECT count(*) = 18 AND to_regclass('schema_version') IS NULL FROM pg_attribute a JOIN pg_class c ON c.oid = "
    "a.attrelid WHERE c.relname = 'tasks' AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND "
    "a.attname IN ('id', 'status', 'attempts', 'locked_by', 'locked_at', 'run_after', 'type', 'description', 'domain', "
    "'drift_score', 'params', 'result', 'error', 'created_at', 'updated_at', 'owner_id', 'lease_expires_at', "
    "'last_heartbeat')";
constexpr char kNotes[] = "SELECT line FROM takeover_note ORDER BY line";

}  // namespace

Result<bool> IsEarlierSystem(Connection& connection) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kIsEarlier));
  return rows.Bool(0, 0);
}

Result<void> MoveAside(Connection& connection) { return connection.Script(kTakeOverMove); }

Result<std::vector<std::string>> TakeOver(Connection& connection, WallTime now) {
  SEEDCORE_RETURN_IF_ERROR(
      connection.Script(fmt::format("SELECT set_config('seedcore.now', '{}', true)", ToRfc3339(now)).c_str()));
  SEEDCORE_RETURN_IF_ERROR(connection.Script(kTakeOverTasks));
  SEEDCORE_RETURN_IF_ERROR(connection.Script(kTakeOverRest));
  SEEDCORE_RETURN_IF_ERROR(connection.Script(kTakeOverGraph));
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.RunOnce(kNotes, {}));
  std::vector<std::string> notes;
  for (int row = 0; row < rows.size(); ++row) notes.emplace_back(rows.Text(row, 0));
  return notes;
}

}  // namespace seedcore::store::postgres
