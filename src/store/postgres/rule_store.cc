#include "store/postgres/rule_store.h"

namespace seedcore::store::postgres {
namespace {

// Readers go on; another writer waits, and finds what this one wrote.
constexpr char kLockRules[] = "LOCK TABLE rule_version IN SHARE ROW EXCLUSIVE MODE";
constexpr char kNewestRules[] =
    "SELECT version, text, note, created_at FROM rule_version WHERE version <> $1 AND version = (SELECT max(version) "
    "FROM rule_version)";
constexpr char kSelectRules[] = "SELECT version, text, note, created_at FROM rule_version WHERE version = $1";
constexpr char kSelectAllRules[] = "SELECT version, text, note, created_at FROM rule_version ORDER BY version DESC";
constexpr char kInsertRules[] = "INSERT INTO rule_version (version, text, note, created_at) VALUES ($1, $2, $3, $4)";
constexpr char kForgetRules[] = "DELETE FROM rule_version WHERE version <= $1";

RuleVersion ReadRules(const Rows& rows, int row) {
  RuleVersion out{
      .version = rows.Int(row, 0), .text = {}, .note = std::string(rows.Text(row, 2)), .created_at = rows.Time(row, 3)};
  if (!rows.IsNull(row, 1)) out.text = rows.Text(row, 1);
  return out;
}

Result<std::optional<RuleVersion>> FindRules(Connection& connection, const char* query, std::int64_t version) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(query, version));
  if (rows.empty()) return std::nullopt;
  return ReadRules(rows, 0);
}

std::optional<std::string_view> ViewOf(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

}  // namespace

Result<RuleVersion> PostgresRuleStore::PutRules(const NewRules& rules, std::optional<std::int64_t> expected) {
  SEEDCORE_RETURN_IF_ERROR(CheckRules(rules));
  return database_.Write([&](WriteContext& context) -> Result<RuleVersion> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kLockRules));
    SEEDCORE_ASSIGN_OR_RETURN(const auto newest, FindRules(context.db, kNewestRules, 0));
    if (newest ? newest->text == rules.text : !rules.text) return newest.value_or(RuleVersion{});
    const std::int64_t before = newest ? newest->version : 0;
    if (expected && *expected != before) return std::unexpected(UnexpectedRules(*expected, before));
    RuleVersion put{.version = before + 1, .text = rules.text, .note = rules.note, .created_at = context.now};
    SEEDCORE_RETURN_IF_ERROR(
        context.db.Query(kInsertRules, put.version, ViewOf(put.text), std::string_view(put.note), put.created_at));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kForgetRules, put.version - kKeptRuleVersions));
    return put;
  });
}

Result<std::optional<RuleVersion>> PostgresRuleStore::NewestRules(std::int64_t known) {
  return database_.Read([&](Connection& connection) { return FindRules(connection, kNewestRules, known); });
}

Result<RuleVersion> PostgresRuleStore::GetRules(std::int64_t version) {
  SEEDCORE_ASSIGN_OR_RETURN(
      auto found, database_.Read([&](Connection& connection) { return FindRules(connection, kSelectRules, version); }));
  if (!found) return std::unexpected(NoSuchRules(version));
  return std::move(*found);
}

Result<std::vector<RuleVersion>> PostgresRuleStore::RuleVersions() {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([](Connection& connection) { return connection.Query(kSelectAllRules); }));
  std::vector<RuleVersion> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) out.push_back(ReadRules(rows, row));
  return out;
}

}  // namespace seedcore::store::postgres
