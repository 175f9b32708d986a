#include "store/fact_query.h"
#include "store/postgres/knowledge_stores.h"
#include "store/postgres/knowledge_writes.h"
#include "store/postgres/task_row.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kInsertFact[] =
    "INSERT INTO facts (id, text, tags, meta_data, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)";
constexpr char kLink[] = "INSERT INTO task_produces_fact (task_id, fact_id) VALUES ($1, $2)";
#define SEEDCORE_PG_FACT_COLUMNS "seq, id, text, tags, meta_data, created_at, updated_at"
// $1 seq, then text, tags, meta_data: NULL leaves the column as it is; $5 now
constexpr char kUpdate[] =
    "UPDATE facts SET text = coalesce($2, text), tags = coalesce($3, tags), meta_data = coalesce($4, meta_data), "
    "updated_at = $5 WHERE seq = $1 RETURNING " SEEDCORE_PG_FACT_COLUMNS;
constexpr char kDeleteFact[] = "DELETE FROM facts WHERE seq = $1";
constexpr char kCountFacts[] = "SELECT count(*) FROM facts";
constexpr char kFind[] = "SELECT " SEEDCORE_PG_FACT_COLUMNS " FROM facts WHERE id BETWEEN $1 AND $2 LIMIT 2";

// $1 limit, $2 offset, then the tag and the words where there are any
#define SEEDCORE_PG_PAGE "LIMIT $1 OFFSET $2"
#define SEEDCORE_PG_WORDS(parameter) \
  "plainto_tsquery('seedcore', regexp_replace(" parameter ", '[!-/:-@[-`{-~]+', ' ', 'g'))"
constexpr char kNewest[] = "SELECT " SEEDCORE_PG_FACT_COLUMNS " FROM facts ORDER BY seq DESC " SEEDCORE_PG_PAGE;
constexpr char kNewestTagged[] =
    "SELECT " SEEDCORE_PG_FACT_COLUMNS " FROM facts WHERE tags @> ARRAY[$3::text] ORDER BY seq DESC " SEEDCORE_PG_PAGE;
// Rank 1: a long text counts for less.
constexpr char kMatching[] = "SELECT " SEEDCORE_PG_FACT_COLUMNS
                             " FROM facts, " SEEDCORE_PG_WORDS("$3::text")
                             " AS wanted WHERE words @@ wanted "
                             "ORDER BY ts_rank(words, wanted, 1) DESC, seq DESC " SEEDCORE_PG_PAGE;
constexpr char kMatchingTagged[] = "SELECT " SEEDCORE_PG_FACT_COLUMNS
                                   " FROM facts, " SEEDCORE_PG_WORDS("$4::text")
                                   " AS wanted WHERE words @@ wanted AND tags @> ARRAY[$3::text] "
                                   "ORDER BY ts_rank(words, wanted, 1) DESC, seq DESC " SEEDCORE_PG_PAGE;

Array TextArray(const std::vector<std::string>& texts) {
  Array out(Oid::kText);
  for (const std::string& text : texts) out.Add(text);
  return out;
}

Result<Fact> ReadFact(const Rows& rows, int row) {
  SEEDCORE_ASSIGN_OR_RETURN(json::object meta_data, ParseStoredObject(rows.Text(row, 4), "meta_data of a fact"));
  return Fact{.id = rows.Id(row, 1),
              .text = std::string(rows.Text(row, 2)),
              .tags = ReadTextArray(rows.Text(row, 3)),
              .meta_data = std::move(meta_data),
              .created_at = rows.Time(row, 5),
              .updated_at = rows.Time(row, 6)};
}

Result<Rows> Query(Connection& connection, const FactQuery& query) {
  const std::int64_t limit = query.limit, offset = query.offset;
  const bool words = !query.text.empty();
  if (!words && query.tag.empty()) return connection.Query(kNewest, limit, offset);
  if (!words) return connection.Query(kNewestTagged, limit, offset, query.tag);
  if (query.tag.empty()) return connection.Query(kMatching, limit, offset, query.text);
  return connection.Query(kMatchingTagged, limit, offset, query.tag, query.text);
}

}  // namespace

Result<Fact> InsertFact(WriteContext& context, const NewFact& fact) {
  Fact out{.id = context.env.NewId(),
           .text = fact.text,
           .tags = fact.tags,
           .meta_data = fact.meta_data,
           .created_at = context.now,
           .updated_at = context.now};
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertFact, Uuid{out.id}, fact.text, TextArray(fact.tags),
                                            WriteObject(fact.meta_data), context.now));
  return out;
}

Result<void> LinkProducedFact(WriteContext& context, const std::string& task_id, const std::string& fact_id) {
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(kLink, Uuid{task_id}, Uuid{fact_id}));
  return {};
}

Result<Fact> PostgresFactStore::Add(const NewFact& fact) {
  return database_.WriteOnce([&](WriteContext& context) { return InsertFact(context, fact); });
}

Result<Fact> PostgresFactStore::Get(const std::string& id_or_prefix) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return FindByPrefix(connection, kFind, "fact", id_or_prefix);
  }));
  return ReadFact(rows, 0);
}

Result<std::vector<Fact>> PostgresFactStore::Search(const FactQuery& query) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(query));
  if (AsksForNothing(query)) return std::vector<Fact>();
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([&](Connection& connection) { return Query(connection, query); }));
  std::vector<Fact> facts;
  facts.reserve(static_cast<std::size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    SEEDCORE_ASSIGN_OR_RETURN(facts.emplace_back(), ReadFact(rows, row));
  }
  return facts;
}

Result<Fact> PostgresFactStore::Update(const std::string& id, const std::optional<std::string>& text,
                                       const std::optional<std::vector<std::string>>& tags,
                                       const std::optional<json::object>& meta_data) {
  return database_.Write([&](WriteContext& context) -> Result<Fact> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows found, FindByPrefix(context.db, kFind, "fact", id));
    SEEDCORE_ASSIGN_OR_RETURN(
        const Rows updated,
        context.db.Query(kUpdate, found.Int(0, 0), text, tags ? std::optional(TextArray(*tags)) : std::nullopt,
                         meta_data ? std::optional(WriteObject(*meta_data)) : std::nullopt, context.now));
    if (updated.empty()) return Fail(ErrorCode::kNotFound, "the fact was deleted");
    return ReadFact(updated, 0);
  });
}

Result<void> PostgresFactStore::Delete(const std::string& id) {
  return database_.Write([&](WriteContext& context) -> Result<void> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows found, FindByPrefix(context.db, kFind, "fact", id));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kDeleteFact, found.Int(0, 0)));
    return {};
  });
}

Result<std::int64_t> PostgresFactStore::Count() {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([](Connection& connection) { return connection.Query(kCountFacts); }));
  return rows.Int(0, 0);
}

}  // namespace seedcore::store::postgres
