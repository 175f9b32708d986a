#include "store/fact_query.h"
#include "store/sqlite/ids.h"
#include "store/sqlite/knowledge_stores.h"
#include "store/sqlite/knowledge_writes.h"
#include "store/sqlite/task_row.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kInsertFact[] =
    "INSERT INTO facts (id, text, tags, meta_data, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
constexpr char kLink[] = "INSERT INTO task_produces_fact (task_id, fact_id) VALUES (?1, ?2)";
// ?2..?4: NULL leaves the column as it is.
constexpr char kUpdate[] =
    "UPDATE facts SET text = coalesce(?2, text), tags = coalesce(?3, tags), meta_data = coalesce(?4, meta_data), "
    "updated_at = ?5 WHERE seq = ?1";
constexpr char kDeleteFact[] = "DELETE FROM facts WHERE seq = ?1";
constexpr char kCountFacts[] = "SELECT count(*) FROM facts";

#define SEEDCORE_FACT_COLUMNS "f.seq, f.id, f.text, f.tags, f.meta_data, f.created_at, f.updated_at"
constexpr char kFind[] = "SELECT " SEEDCORE_FACT_COLUMNS " FROM facts f WHERE f.id >= ?1 AND f.id < ?2 LIMIT 2";

// ?1 limit, ?2 offset, then the tag and the words where there are any
constexpr char kNewest[] = "SELECT " SEEDCORE_FACT_COLUMNS " FROM facts f ORDER BY f.seq DESC LIMIT ?1 OFFSET ?2";
constexpr char kNewestTagged[] =
    "SELECT " SEEDCORE_FACT_COLUMNS
    " FROM fact_tag g JOIN facts f ON f.seq = g.seq WHERE g.tag = ?3 ORDER BY g.seq DESC LIMIT ?1 OFFSET ?2";
constexpr char kMatching[] =
    "SELECT " SEEDCORE_FACT_COLUMNS
    " FROM facts_text x JOIN facts f ON f.seq = x.rowid WHERE facts_text MATCH ?3 ORDER BY x.rank, f.seq DESC "
    "LIMIT ?1 OFFSET ?2";
constexpr char kMatchingTagged[] =
    "SELECT " SEEDCORE_FACT_COLUMNS
    " FROM facts_text x JOIN facts f ON f.seq = x.rowid JOIN fact_tag g ON g.seq = f.seq AND g.tag = ?3 "
    "WHERE facts_text MATCH ?4 ORDER BY x.rank, f.seq DESC LIMIT ?1 OFFSET ?2";

struct FactRow {
  std::int64_t seq = 0;
  Fact fact;  ///< without tags and meta_data
  std::string tags;
  std::string meta_data;
};

Result<FactRow> ReadFactRow(const Statement& row) {
  return FactRow{.seq = row.Int(0),
                 .fact = {.id = std::string(row.Text(1)),
                          .text = std::string(row.Text(2)),
                          .created_at = row.Time(5),
                          .updated_at = row.Time(6)},
                 .tags = std::string(row.Text(3)),
                 .meta_data = std::string(row.Text(4))};
}

Result<Fact> ToFact(Result<FactRow> row) {
  if (!row) return std::unexpected(std::move(row.error()));
  SEEDCORE_ASSIGN_OR_RETURN(row->fact.tags, ParseStoredStrings(row->tags, "tags of a fact"));
  SEEDCORE_ASSIGN_OR_RETURN(row->fact.meta_data, ParseStoredObject(row->meta_data, "meta_data of a fact"));
  return std::move(row->fact);
}

/// Every word of `text` as a quoted FTS5 string, so that no character in it is an operator. Empty when it has no word.
std::string MatchExpression(std::string_view text) {
  std::string out;
  bool in_word = false;
  const auto end_word = [&] {
    if (in_word) out += '"';
    in_word = false;
  };
  for (const char c : text) {
    if (!IsWordByte(c)) {
      end_word();
      continue;
    }
    if (!in_word) out += out.empty() ? "\"" : " \"";
    in_word = true;
    out += c;
  }
  end_word();
  return out;
}

Result<Statement> Query(Database& database, const FactQuery& query) {
  const std::string words = MatchExpression(query.text);
  if (words.empty() && query.tag.empty()) return database.Query(kNewest, query.limit, query.offset);
  if (words.empty()) return database.Query(kNewestTagged, query.limit, query.offset, query.tag);
  if (query.tag.empty()) return database.Query(kMatching, query.limit, query.offset, words);
  return database.Query(kMatchingTagged, query.limit, query.offset, query.tag, words);
}

}  // namespace

Result<Fact> InsertFact(WriteContext& context, const NewFact& fact) {
  Fact out{.id = context.env.NewId(),
           .text = fact.text,
           .tags = fact.tags,
           .meta_data = fact.meta_data,
           .created_at = context.now,
           .updated_at = context.now};
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kInsertFact, out.id, fact.text, WriteStrings(fact.tags),
                                              WriteObject(fact.meta_data), context.now));
  return out;
}

Result<void> LinkProducedFact(WriteContext& context, const std::string& task_id, const std::string& fact_id) {
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kLink, task_id, fact_id));
  return {};
}

Result<Fact> SqliteFactStore::Add(const NewFact& fact) {
  return writer_.Run([&](WriteContext& context) { return InsertFact(context, fact); });
}

Result<Fact> SqliteFactStore::Get(const std::string& id_or_prefix) {
  return ToFact(readers_.Run(
      [&](Database& database) { return FindByPrefix(database, kFind, "fact", id_or_prefix, ReadFactRow); }));
}

Result<std::vector<Fact>> SqliteFactStore::Search(const FactQuery& query) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(query));
  if (AsksForNothing(query)) return std::vector<Fact>();
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<FactRow> rows,
                            readers_.Run([&](Database& database) -> Result<std::vector<FactRow>> {
                              SEEDCORE_ASSIGN_OR_RETURN(Statement found, Query(database, query));
                              std::vector<FactRow> out;
                              for (;;) {
                                SEEDCORE_ASSIGN_OR_RETURN(const bool more, found.Next());
                                if (!more) return out;
                                SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), ReadFactRow(found));
                              }
                            }));
  std::vector<Fact> facts;
  facts.reserve(rows.size());
  for (FactRow& row : rows) {
    SEEDCORE_ASSIGN_OR_RETURN(facts.emplace_back(), ToFact(std::move(row)));
  }
  return facts;
}

Result<Fact> SqliteFactStore::Update(const std::string& id, const std::optional<std::string>& text,
                                     const std::optional<std::vector<std::string>>& tags,
                                     const std::optional<json::object>& meta_data) {
  return ToFact(writer_.Run([&](WriteContext& context) -> Result<FactRow> {
    SEEDCORE_ASSIGN_OR_RETURN(const FactRow row, FindByPrefix(context.db, kFind, "fact", id, ReadFactRow));
    SEEDCORE_RETURN_IF_ERROR(
        context.db.Execute(kUpdate, row.seq, text, tags ? std::optional(WriteStrings(*tags)) : std::nullopt,
                           meta_data ? std::optional(WriteObject(*meta_data)) : std::nullopt, context.now));
    return FindByPrefix(context.db, kFind, "fact", row.fact.id, ReadFactRow);
  }));
}

Result<void> SqliteFactStore::Delete(const std::string& id) {
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    SEEDCORE_ASSIGN_OR_RETURN(const FactRow row, FindByPrefix(context.db, kFind, "fact", id, ReadFactRow));
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kDeleteFact, row.seq));
    return {};
  });
}

Result<std::int64_t> SqliteFactStore::Count() {
  return readers_.Run([](Database& database) { return database.QueryInt(kCountFacts); });
}

}  // namespace seedcore::store::sqlite
