#include "store/postgres/knowledge_stores.h"
#include "store/postgres/knowledge_writes.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kInsertIncident[] =
    "INSERT INTO flashbulb_incidents (incident_id, salience_score, event_data, created_at) VALUES ($1, $2, $3, $4)";
constexpr char kSearch[] =
    "SELECT incident_id, salience_score, event_data, created_at FROM flashbulb_incidents WHERE salience_score >= $1 "
    "ORDER BY salience_score DESC, seq DESC LIMIT $2";

}  // namespace

Result<Incident> InsertIncident(WriteContext& context, const NewIncident& incident) {
  Incident out{context.env.NewId(), incident.salience_score, incident.event_data, context.now};
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertIncident, Uuid{out.incident_id}, out.salience_score,
                                            WriteObject(out.event_data), out.created_at));
  return out;
}

Result<Incident> PostgresIncidentStore::Add(const NewIncident& incident) {
  return database_.WriteOnce([&](WriteContext& context) { return InsertIncident(context, incident); });
}

Result<std::vector<Incident>> PostgresIncidentStore::Search(double min_salience, int limit) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kSearch, min_salience, std::int64_t{limit});
  }));
  std::vector<Incident> out;
  for (int row = 0; row < rows.size(); ++row) {
    SEEDCORE_ASSIGN_OR_RETURN(json::object data, ParseStoredObject(rows.Text(row, 2), "event_data of an incident"));
    out.push_back({rows.Id(row, 0), rows.Double(row, 1), std::move(data), rows.Time(row, 3)});
  }
  return out;
}

}  // namespace seedcore::store::postgres
