#include "store/sqlite/rule_store.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kNewestRules[] =
    "SELECT version, text, note, created_at FROM rule_version WHERE version <> ?1 AND version = (SELECT max(version) "
    "FROM rule_version)";
constexpr char kSelectRules[] = "SELECT version, text, note, created_at FROM rule_version WHERE version = ?1";
constexpr char kSelectAllRules[] = "SELECT version, text, note, created_at FROM rule_version ORDER BY version DESC";
constexpr char kInsertRules[] = "INSERT INTO rule_version (version, text, note, created_at) VALUES (?1, ?2, ?3, ?4)";
constexpr char kForgetRules[] = "DELETE FROM rule_version WHERE version <= ?1";

RuleVersion ReadRules(const Statement& row) {
  RuleVersion out{.version = row.Int(0), .text = {}, .note = std::string(row.Text(2)), .created_at = row.Time(3)};
  if (!row.IsNull(1)) out.text = row.Text(1);
  return out;
}

Result<std::optional<RuleVersion>> FindRules(Database& database, const char* query, std::int64_t version) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(query, version));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return std::nullopt;
  return ReadRules(row);
}

}  // namespace

Result<RuleVersion> SqliteRuleStore::PutRules(const NewRules& rules, std::optional<std::int64_t> expected) {
  SEEDCORE_RETURN_IF_ERROR(CheckRules(rules));
  return writer_.Run([&](WriteContext& context) -> Result<RuleVersion> {
    SEEDCORE_ASSIGN_OR_RETURN(const auto newest, FindRules(context.db, kNewestRules, 0));
    if (newest ? newest->text == rules.text : !rules.text) return newest.value_or(RuleVersion{});
    const std::int64_t before = newest ? newest->version : 0;
    if (expected && *expected != before) return std::unexpected(UnexpectedRules(*expected, before));
    RuleVersion put{.version = before + 1, .text = rules.text, .note = rules.note, .created_at = context.now};
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kInsertRules, put.version, put.text, put.note, put.created_at));
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForgetRules, put.version - kKeptRuleVersions));
    return put;
  });
}

Result<std::optional<RuleVersion>> SqliteRuleStore::NewestRules(std::int64_t known) {
  return readers_.Run([&](Database& database) { return FindRules(database, kNewestRules, known); });
}

Result<RuleVersion> SqliteRuleStore::GetRules(std::int64_t version) {
  SEEDCORE_ASSIGN_OR_RETURN(
      auto found, readers_.Run([&](Database& database) { return FindRules(database, kSelectRules, version); }));
  if (!found) return std::unexpected(NoSuchRules(version));
  return std::move(*found);
}

Result<std::vector<RuleVersion>> SqliteRuleStore::RuleVersions() {
  return readers_.Run([](Database& database) -> Result<std::vector<RuleVersion>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSelectAllRules));
    std::vector<RuleVersion> out;
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      out.push_back(ReadRules(rows));
    }
  });
}

}  // namespace seedcore::store::sqlite
