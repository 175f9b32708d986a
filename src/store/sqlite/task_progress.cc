#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {
namespace {

// ?1 id, ?2 owner, ?3 token
constexpr char kHeldUnderLease[] =
    "SELECT seq, attempts FROM tasks WHERE id = ?1 AND status = 'running' AND owner_id = ?2 AND fencing_token = ?3";
constexpr char kForgetEarlier[] = "DELETE FROM task_event WHERE task_seq = ?1 AND kind = 'progress'";
constexpr char kProgress[] =
    "SELECT e.at, e.detail FROM tasks t JOIN task_event e ON e.task_seq = t.seq WHERE t.id = ?1 AND t.status = "
    "'running' AND e.kind = 'progress' AND e.fencing_token = t.fencing_token";

struct PreparedReport {
  const Lease* lease = nullptr;
  std::string detail;
};

Result<ProgressAnswer> Report(WriteContext& context, const PreparedReport& report) {
  const Lease& lease = *report.lease;
  std::int64_t seq = 0;
  int attempts = 0;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row,
                              context.db.Query(kHeldUnderLease, lease.task_id, lease.owner_id, lease.fencing_token));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    if (found) {
      seq = row.Int(0);
      attempts = static_cast<int>(row.Int(1));
    }
  }
  if (seq == 0) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool cancelled, WasCancelled(context, lease));
    return ProgressAnswer{.accepted = false, .cancel_requested = cancelled};
  }
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForgetEarlier, seq));
  SEEDCORE_RETURN_IF_ERROR(AppendEvent(
      context, {seq, "progress", TaskStatus::kRunning, attempts, lease.fencing_token, lease.owner_id, report.detail}));
  return ProgressAnswer{.accepted = true};
}

}  // namespace

Result<std::vector<ProgressAnswer>> SqliteTaskStore::ReportProgress(std::span<const ProgressReport> reports) {
  std::vector<PreparedReport> prepared;
  prepared.reserve(reports.size());
  for (const ProgressReport& report : reports) {
    SEEDCORE_RETURN_IF_ERROR(CheckProgress(report.progress));
    prepared.push_back({&report.lease, WriteProgress(report.progress)});
  }
  return writer_.Run([&](WriteContext& context) -> Result<std::vector<ProgressAnswer>> {
    std::vector<ProgressAnswer> out;
    out.reserve(prepared.size());
    for (const PreparedReport& report : prepared) {
      SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), Report(context, report));
    }
    return out;
  });
}

Result<std::map<std::string, StoredProgress>> SqliteTaskStore::ProgressOf(std::span<const std::string> ids) {
  return readers_.Run([&](Database& database) -> Result<std::map<std::string, StoredProgress>> {
    std::map<std::string, StoredProgress> out;
    for (const std::string& id : ids) {
      SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kProgress, id));
      SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
      if (!found) continue;
      StoredProgress& stored = out[id];
      stored.at = row.Time(0);
      SEEDCORE_ASSIGN_OR_RETURN(stored.progress, ReadProgress(row.Text(1)));
    }
    return out;
  });
}

}  // namespace seedcore::store::sqlite
