#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/postgres/knowledge_stores.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kLoad[] = "SELECT state FROM stream_state WHERE kind = $1 AND key = $2";
// Also for a state that does not exist yet, which no row lock could hold. Until the end of the transaction.
constexpr char kLock[] = "SELECT pg_advisory_xact_lock(24303, hashtext($1 || chr(1) || $2))";
constexpr char kSave[] =
    "INSERT INTO stream_state (kind, key, state, updated_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at";
constexpr char kList[] = "SELECT key, state FROM stream_state WHERE kind = $1 ORDER BY key COLLATE \"C\"";

Result<json::value> ParseState(std::string_view kind, std::string_view key, std::string_view text) {
  auto state = ParseJson(text);
  if (!state) return Fail(ErrorCode::kCorrupt, fmt::format("the stored {} state of '{}' is not valid JSON", kind, key));
  return state;
}

Result<json::value> ReadState(Connection& connection, const std::string& kind, const std::string& key) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kLoad, kind, key));
  if (rows.empty()) return json::value();
  return ParseState(kind, key, rows.Text(0, 0));
}

}  // namespace

Result<json::value> PostgresStreamStore::Load(const std::string& kind, const std::string& key) {
  return database_.Read([&](Connection& connection) { return ReadState(connection, kind, key); });
}

Result<json::value> PostgresStreamStore::Update(const std::string& kind, const std::string& key,
                                                const std::function<json::value(const json::value&)>& update) {
  return database_.Write([&](WriteContext& context) -> Result<json::value> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kLock, kind, key));
    SEEDCORE_ASSIGN_OR_RETURN(const json::value before, ReadState(context.db, kind, key));
    json::value after = update(before);
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kSave, kind, key, WriteJson(after), context.now));
    return after;
  });
}

Result<std::vector<std::pair<std::string, json::value>>> PostgresStreamStore::List(const std::string& kind) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([&](Connection& connection) { return connection.Query(kList, kind); }));
  std::vector<std::pair<std::string, json::value>> out;
  for (int row = 0; row < rows.size(); ++row) {
    SEEDCORE_ASSIGN_OR_RETURN(json::value state, ParseState(kind, rows.Text(row, 0), rows.Text(row, 1)));
    out.emplace_back(std::string(rows.Text(row, 0)), std::move(state));
  }
  return out;
}

}  // namespace seedcore::store::postgres
