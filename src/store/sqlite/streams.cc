#include <fmt/format.h>

#include "store/sqlite/knowledge_stores.h"
#include "store/sqlite/knowledge_writes.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kLoad[] = "SELECT state FROM stream_state WHERE kind = ?1 AND key = ?2";
constexpr char kSave[] =
    "INSERT INTO stream_state (kind, key, state, updated_at) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at";
// ?1 kind, ?2 touched before, ?3 at most
constexpr char kForgetIdle[] =
    "DELETE FROM stream_state WHERE kind = ?1 AND key IN (SELECT key FROM stream_state WHERE kind = ?1 AND "
    "updated_at < ?2 LIMIT ?3)";
// ?1 kind, ?2 how many are kept, ?3 at most
constexpr char kForgetMostStreams[] =
    "DELETE FROM stream_state WHERE kind = ?1 AND key IN (SELECT key FROM stream_state WHERE kind = ?1 ORDER BY "
    "updated_at LIMIT max(0, min(?3, (SELECT count(*) FROM stream_state WHERE kind = ?1) - ?2)))";
constexpr char kList[] = "SELECT key, state FROM stream_state WHERE kind = ?1 AND key > ?2 ORDER BY key LIMIT ?3";

Result<json::value> ParseState(std::string_view kind, std::string_view key, std::string_view text) {
  auto state = ParseJson(text);
  if (!state) return Fail(ErrorCode::kCorrupt, fmt::format("the stored {} state of '{}' is not valid JSON", kind, key));
  return state;
}

Result<json::value> ReadState(Database& database, const std::string& kind, const std::string& key) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kLoad, kind, key));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return json::value();
  return ParseState(kind, key, row.Text(0));
}

}  // namespace

Result<void> ForgetStreams(WriteContext& context, const StreamRetention& retention) {
  const WallTime before = context.now - retention.keep;
  for (const std::string kind : kForgottenKinds) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForgetIdle, kind, before, kMostStreamsForgotten));
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForgetMostStreams, kind, retention.most, kMostStreamsForgotten));
  }
  return {};
}

Result<json::value> SqliteStreamStore::Load(const std::string& kind, const std::string& key) {
  return readers_.Run([&](Database& database) { return ReadState(database, kind, key); });
}

Result<json::value> SqliteStreamStore::Update(const std::string& kind, const std::string& key,
                                              const std::function<json::value(const json::value&)>& update) {
  return writer_.Run([&](WriteContext& context) -> Result<json::value> {
    SEEDCORE_ASSIGN_OR_RETURN(const json::value before, ReadState(context.db, kind, key));
    json::value after = update(before);
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kSave, kind, key, WriteJson(after), context.now));
    return after;
  });
}

Result<std::vector<std::pair<std::string, json::value>>> SqliteStreamStore::List(const std::string& kind, int limit,
                                                                                 const std::string& after) {
  using States = std::vector<std::pair<std::string, json::value>>;
  return readers_.Run([&](Database& database) -> Result<States> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kList, kind, after, limit));
    States out;
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      SEEDCORE_ASSIGN_OR_RETURN(json::value state, ParseState(kind, rows.Text(0), rows.Text(1)));
      out.emplace_back(std::string(rows.Text(0)), std::move(state));
    }
  });
}

}  // namespace seedcore::store::sqlite
