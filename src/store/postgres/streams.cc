#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/postgres/knowledge_stores.h"
#include "store/postgres/knowledge_writes.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kLoad[] = "SELECT state FROM stream_state WHERE kind = $1 AND key = $2";
// Also for a state that does not exist yet, which no row lock could hold. Until the end of the transaction.
constexpr char kLockStream[] = "SELECT pg_advisory_xact_lock(24303, hashtext($1 || chr(1) || $2))";
constexpr char kSave[] =
    "INSERT INTO stream_state (kind, key, state, updated_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at";
// Who writes to a stream in this moment keeps it. $1 kind, $2 touched before, $3 at most
constexpr char kForgetIdle[] =
    "WITH gone AS MATERIALIZED (SELECT s.key FROM stream_state s WHERE s.kind = $1 AND s.updated_at < $2 LIMIT $3 "
    "FOR UPDATE SKIP LOCKED) "
    "DELETE FROM stream_state s USING gone g WHERE s.kind = $1 AND s.key = g.key AND s.updated_at < $2";
// $1 kind, $2 how many are kept, $3 at most
constexpr char kForgetMostStreams[] =
    "WITH gone AS MATERIALIZED (SELECT s.key, s.updated_at FROM stream_state s WHERE s.kind = $1 ORDER BY s.updated_at "
    "LIMIT greatest(0, least($3, (SELECT count(*) FROM stream_state WHERE kind = $1) - $2)) FOR UPDATE SKIP LOCKED) "
    "DELETE FROM stream_state s USING gone g WHERE s.kind = $1 AND s.key = g.key AND s.updated_at = g.updated_at";
constexpr char kList[] =
    "SELECT key, state FROM stream_state WHERE kind = $1 AND key COLLATE \"C\" > $2 ORDER BY key COLLATE \"C\" LIMIT "
    "$3";

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

Result<void> ForgetStreams(WriteContext& context, const StreamRetention& retention) {
  const WallTime before = context.now - retention.keep;
  for (const std::string kind : kForgottenKinds) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kForgetIdle, kind, before, kMostStreamsForgotten));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kForgetMostStreams, kind, retention.most, kMostStreamsForgotten));
  }
  return {};
}

Result<json::value> PostgresStreamStore::Load(const std::string& kind, const std::string& key) {
  return database_.Read([&](Connection& connection) { return ReadState(connection, kind, key); });
}

Result<json::value> PostgresStreamStore::Update(const std::string& kind, const std::string& key,
                                                const std::function<json::value(const json::value&)>& update) {
  return database_.Write([&](WriteContext& context) -> Result<json::value> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kLockStream, kind, key));
    SEEDCORE_ASSIGN_OR_RETURN(const json::value before, ReadState(context.db, kind, key));
    json::value after = update(before);
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kSave, kind, key, WriteJson(after), context.now));
    return after;
  });
}

Result<std::vector<std::pair<std::string, json::value>>> PostgresStreamStore::List(const std::string& kind, int limit,
                                                                                   const std::string& after) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kList, kind, after, std::int64_t{limit});
  }));
  std::vector<std::pair<std::string, json::value>> out;
  for (int row = 0; row < rows.size(); ++row) {
    SEEDCORE_ASSIGN_OR_RETURN(json::value state, ParseState(kind, rows.Text(row, 0), rows.Text(row, 1)));
    out.emplace_back(std::string(rows.Text(row, 0)), std::move(state));
  }
  return out;
}

}  // namespace seedcore::store::postgres
