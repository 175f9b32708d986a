#include "store/postgres/knowledge_stores.h"
#include "store/postgres/knowledge_writes.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kAppend[] = "SELECT seedcore_ledger_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
constexpr char kBalance[] =
    "SELECT balance_after FROM energy_ledger WHERE scope = $1 AND scope_id = $2 ORDER BY seq DESC LIMIT 1";
#define SEEDCORE_PG_LEDGER_SELECT                                                                           \
  "SELECT tx_id, at, scope, scope_id, task_id, energy_before, energy_after, delta_e, cost, balance_after, " \
  "breakdown, meta FROM energy_ledger "
constexpr char kRecent[] = SEEDCORE_PG_LEDGER_SELECT "ORDER BY seq DESC LIMIT $1";
constexpr char kForTask[] = SEEDCORE_PG_LEDGER_SELECT "WHERE task_id = $1 ORDER BY seq";

Result<std::vector<LedgerEntry>> ReadEntries(const Rows& rows) {
  std::vector<LedgerEntry> out;
  for (int row = 0; row < rows.size(); ++row) {
    LedgerEntry entry;
    entry.tx_id = rows.Id(row, 0);
    entry.at = rows.Time(row, 1);
    entry.scope = rows.Text(row, 2);
    entry.scope_id = rows.Text(row, 3);
    entry.task_id = rows.Text(row, 4);
    entry.energy_before = rows.Double(row, 5);
    entry.energy_after = rows.Double(row, 6);
    entry.delta_e = rows.Double(row, 7);
    entry.cost = rows.Double(row, 8);
    entry.balance_after = rows.Double(row, 9);
    SEEDCORE_ASSIGN_OR_RETURN(entry.breakdown, ParseStoredObject(rows.Text(row, 10), "breakdown of a ledger entry"));
    SEEDCORE_ASSIGN_OR_RETURN(entry.meta, ParseStoredObject(rows.Text(row, 11), "meta of a ledger entry"));
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace

Result<LedgerEntry> InsertLedgerEntry(WriteContext& context, const NewLedgerEntry& entry) {
  LedgerEntry out{entry};
  out.tx_id = context.env.NewId();
  out.at = context.now;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            context.db.Query(kAppend, Uuid{out.tx_id}, out.at, out.scope, out.scope_id,
                                             NullIfEmpty(out.task_id), out.energy_before, out.energy_after, out.delta_e,
                                             out.cost, WriteObject(out.breakdown), WriteObject(out.meta)));
  out.balance_after = rows.Double(0, 0);
  return out;
}

Result<LedgerEntry> PostgresLedgerStore::Append(const NewLedgerEntry& entry) {
  return database_.WriteOnce([&](WriteContext& context) { return InsertLedgerEntry(context, entry); });
}

Result<double> PostgresLedgerStore::Balance(const std::string& scope, const std::string& scope_id) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kBalance, scope, scope_id);
  }));
  return rows.empty() ? 0.0 : rows.Double(0, 0);
}

Result<std::vector<LedgerEntry>> PostgresLedgerStore::Recent(int limit) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kRecent, std::int64_t{limit});
  }));
  return ReadEntries(rows);
}

Result<std::vector<LedgerEntry>> PostgresLedgerStore::ForTask(const std::string& task_id) {
  SEEDCORE_ASSIGN_OR_RETURN(
      const Rows rows, database_.Read([&](Connection& connection) { return connection.Query(kForTask, task_id); }));
  return ReadEntries(rows);
}

}  // namespace seedcore::store::postgres
