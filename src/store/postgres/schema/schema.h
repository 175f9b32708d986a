#pragma once

#include <span>

/// The schema. Table and column names are those of the SQLite store, and follow the earlier system where it had them.
/// JSON is kept as it was written (type json, not jsonb), times are timestamptz and always come from the program's
/// clock, ids are version-7 UUIDs.
namespace seedcore::store::postgres {

struct Migration {
  int version;
  const char* description;
  std::span<const char* const> scripts;  ///< run one after the other in one transaction
};

/// In ascending order of version, without gaps. The first is a whole schema, for a new database; nothing older is
/// migrated. What a version that has been released consists of never changes; a later one adds to it, and the next
/// whole schema takes its place when nobody has the versions before it any more.
[[nodiscard]] std::span<const Migration> Migrations();

namespace schema {

extern const char kTasks[];     ///< tasks, what lies beside them, and what keeps that consistent whoever writes
extern const char kHistory[];   ///< what happened to them
extern const char kLine[];      ///< tasks that can run, in the order of claiming
extern const char kTurns[];     ///< that order
extern const char kLimits[];    ///< limits and pauses
extern const char kPlaces[];    ///< where running and finished tasks are found, and what follows from a change of tasks
extern const char kSubmit[];    ///< seedcore_submit and seedcore_enqueue
extern const char kClaims[];    ///< claims, step by step
extern const char kFinish[];    ///< outcomes of every kind
extern const char kComplete[];  ///< the one that is common
extern const char kControl[];   ///< what happens to tasks that nobody runs, and to those that wait for others
extern const char kKnowledge[];  ///< facts, incidents, energy ledger and stream states
extern const char kRegistry[];   ///< cluster epoch, instances, organs, agents and routing rules
extern const char kGraph[];      ///< nodes, edges and embeddings
extern const char kSteps[];
extern const char kSchedules[];
extern const char kRules[];     ///< versions of the rules
extern const char kExternal[];  ///< types left to workers outside

}  // namespace schema
}  // namespace seedcore::store::postgres
