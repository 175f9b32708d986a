#pragma once

#include <span>

/// The schema, one script per version. A released script never changes; a later version adds another. Table and column
/// names are those of the SQLite store, and follow the earlier system where it had them. JSON is kept as it was written
/// (type json, not jsonb), times are timestamptz and always come from the program's clock, ids are version-7 UUIDs.
namespace seedcore::store::postgres {

struct Migration {
  int version;
  const char* description;
  std::span<const char* const> scripts;  ///< run one after the other in one transaction
};

/// In ascending order of version, starting with 1, without gaps.
[[nodiscard]] std::span<const Migration> Migrations();

extern const char kSchemaTasks[];          ///< tables and indexes of tasks
extern const char kSchemaTaskTriggers[];   ///< what keeps them consistent whoever writes
extern const char kSchemaTaskFunctions[];  ///< the state changes that need several steps
extern const char kSchemaFinishFunctions[];
extern const char kSchemaEnqueue[];  ///< seedcore_submit and seedcore_enqueue
extern const char kSchemaKnowledge[];
extern const char kSchemaRegistry[];
extern const char kSchemaListeners[];
extern const char kSchemaDispatch[];  ///< limits, pauses, unique keys
extern const char kSchemaDispatchFunctions[];
extern const char kSchemaDispatchFinish[];
extern const char kSchemaGraph[];
extern const char kSchemaSteps[];
extern const char kSchemaSchedules[];
extern const char kSchemaTurns[];  ///< the order of claiming
extern const char kSchemaTurnFunctions[];
extern const char kSchemaHistory[];  ///< what happens to every task once, written for many at a time
extern const char kSchemaHistoryFinish[];
extern const char kSchemaTurnsTogether[];
extern const char kSchemaBounds[];   ///< of what seedcore_enqueue takes
extern const char kSchemaRelease[];  ///< of dependants, by a plan that nothing changes
extern const char kSchemaPlaces[];   ///< where claims, the reaper and retention find tasks
extern const char kSchemaPlacesFunctions[];
extern const char kSchemaChanges[];  ///< what follows from a change of tasks
extern const char kSchemaHotPath[];  ///< what claims, ends and submits many tasks keeps the places itself
extern const char kSchemaHotPathFinish[];
extern const char kSchemaHotPathComplete[];
extern const char kSchemaReadyBatches[];  ///< many tasks in one place of the line
extern const char kSchemaClaims[];        ///< claims, step by step
extern const char kSchemaRules[];         ///< versions of the rules
extern const char kSchemaAnnounced[];     ///< claims that wait for a commit
extern const char kSchemaManyClaims[];    ///< large claims, many at a time
extern const char kSchemaRetention[];     ///< page after page
extern const char kSchemaExternal[];      ///< types left to workers outside

}  // namespace seedcore::store::postgres
