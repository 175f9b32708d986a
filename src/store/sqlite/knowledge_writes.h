#pragma once

#include "store/sqlite/writer.h"
#include "store/store.h"
#include "store/stream_retention.h"

/// Inserts that are also effects of a finished task; on the writer's thread, inside its transaction.
namespace seedcore::store::sqlite {

[[nodiscard]] Result<Fact> InsertFact(WriteContext& context, const NewFact& fact);
[[nodiscard]] Result<void> LinkProducedFact(WriteContext& context, const std::string& task_id,
                                            const std::string& fact_id);
[[nodiscard]] Result<LedgerEntry> InsertLedgerEntry(WriteContext& context, const NewLedgerEntry& entry);
[[nodiscard]] Result<Incident> InsertIncident(WriteContext& context, const NewIncident& incident);
/// Not an effect, but the look of the retention.
[[nodiscard]] Result<void> ForgetStreams(WriteContext& context, const StreamRetention& retention);

}  // namespace seedcore::store::sqlite
