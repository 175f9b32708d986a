#include "store/sqlite/knowledge_stores.h"
#include "store/sqlite/knowledge_writes.h"
#include "store/sqlite/task_row.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kInsertIncident[] =
    "INSERT INTO flashbulb_incidents (incident_id, salience_score, event_data, created_at) VALUES (?1, ?2, ?3, ?4)";
constexpr char kSearch[] =
    "SELECT incident_id, salience_score, event_data, created_at FROM flashbulb_incidents WHERE salience_score >= ?1 "
    "ORDER BY salience_score DESC, seq DESC LIMIT ?2";

}  // namespace

Result<Incident> InsertIncident(WriteContext& context, const NewIncident& incident) {
  Incident out{context.env.NewId(), incident.salience_score, incident.event_data, context.now};
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kInsertIncident, out.incident_id, out.salience_score,
                                              WriteObject(out.event_data), out.created_at));
  return out;
}

Result<Incident> SqliteIncidentStore::Add(const NewIncident& incident) {
  return writer_.Run([&](WriteContext& context) { return InsertIncident(context, incident); });
}

Result<std::vector<Incident>> SqliteIncidentStore::Search(double min_salience, int limit) {
  return readers_.Run([&](Database& database) -> Result<std::vector<Incident>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSearch, min_salience, limit));
    std::vector<Incident> out;
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      SEEDCORE_ASSIGN_OR_RETURN(json::object data, ParseStoredObject(rows.Text(2), "event_data of an incident"));
      out.push_back({std::string(rows.Text(0)), rows.Double(1), std::move(data), rows.Time(3)});
    }
  });
}

}  // namespace seedcore::store::sqlite
