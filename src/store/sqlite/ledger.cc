#include "store/sqlite/knowledge_stores.h"
#include "store/sqlite/knowledge_writes.h"
#include "store/sqlite/task_row.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kInsertEntry[] =
    "INSERT INTO energy_ledger (tx_id, at, scope, scope_id, task_id, energy_before, energy_after, delta_e, cost, "
    "balance_after, breakdown, meta) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
constexpr char kBalance[] =
    "SELECT balance_after FROM energy_ledger WHERE scope = ?1 AND scope_id = ?2 ORDER BY seq DESC LIMIT 1";
#define SEEDCORE_LEDGER_SELECT                                                                              \
  "SELECT tx_id, at, scope, scope_id, task_id, energy_before, energy_after, delta_e, cost, balance_after, " \
  "breakdown, meta FROM energy_ledger "
constexpr char kRecent[] = SEEDCORE_LEDGER_SELECT "ORDER BY seq DESC LIMIT ?1";
constexpr char kForTask[] = SEEDCORE_LEDGER_SELECT "WHERE task_id = ?1 ORDER BY seq";

Result<double> ReadBalance(Database& database, const std::string& scope, const std::string& scope_id) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kBalance, scope, scope_id));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  return found ? row.Double(0) : 0.0;
}

Result<std::vector<LedgerEntry>> ReadEntries(Statement rows) {
  std::vector<LedgerEntry> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    LedgerEntry entry;
    entry.tx_id = rows.Text(0);
    entry.at = rows.Time(1);
    entry.scope = rows.Text(2);
    entry.scope_id = rows.Text(3);
    entry.task_id = rows.Text(4);
    entry.energy_before = rows.Double(5);
    entry.energy_after = rows.Double(6);
    entry.delta_e = rows.Double(7);
    entry.cost = rows.Double(8);
    entry.balance_after = rows.Double(9);
    SEEDCORE_ASSIGN_OR_RETURN(entry.breakdown, ParseStoredObject(rows.Text(10), "breakdown of a ledger entry"));
    SEEDCORE_ASSIGN_OR_RETURN(entry.meta, ParseStoredObject(rows.Text(11), "meta of a ledger entry"));
    out.push_back(std::move(entry));
  }
}

}  // namespace

Result<LedgerEntry> InsertLedgerEntry(WriteContext& context, const NewLedgerEntry& entry) {
  SEEDCORE_ASSIGN_OR_RETURN(const double before, ReadBalance(context.db, entry.scope, entry.scope_id));
  LedgerEntry out{entry};
  out.tx_id = context.env.NewId();
  out.at = context.now;
  out.balance_after = before - entry.delta_e - entry.cost;
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(
      kInsertEntry, out.tx_id, out.at, out.scope, out.scope_id, NullIfEmpty(out.task_id), out.energy_before,
      out.energy_after, out.delta_e, out.cost, out.balance_after, WriteObject(out.breakdown), WriteObject(out.meta)));
  return out;
}

Result<LedgerEntry> SqliteLedgerStore::Append(const NewLedgerEntry& entry) {
  return writer_.Run([&](WriteContext& context) { return InsertLedgerEntry(context, entry); });
}

Result<double> SqliteLedgerStore::Balance(const std::string& scope, const std::string& scope_id) {
  return readers_.Run([&](Database& database) { return ReadBalance(database, scope, scope_id); });
}

Result<std::vector<LedgerEntry>> SqliteLedgerStore::Recent(int limit) {
  return readers_.Run([&](Database& database) -> Result<std::vector<LedgerEntry>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kRecent, limit));
    return ReadEntries(std::move(rows));
  });
}

Result<std::vector<LedgerEntry>> SqliteLedgerStore::ForTask(const std::string& task_id) {
  return readers_.Run([&](Database& database) -> Result<std::vector<LedgerEntry>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kForTask, task_id));
    return ReadEntries(std::move(rows));
  });
}

}  // namespace seedcore::store::sqlite
