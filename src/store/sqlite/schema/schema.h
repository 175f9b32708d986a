#pragma once

#include <span>

/// The schema. Table and column names follow the earlier system where it had them. Times are Unix microseconds, JSON is
/// text, ids are version-7 UUIDs.
namespace seedcore::store::sqlite {

struct Migration {
  int version;
  const char* description;
  std::span<const char* const> scripts;  ///< run one after the other in one transaction; none: nothing changes here
};

/// In ascending order of version, without gaps. The first is a whole schema, for a new file; nothing older is migrated.
/// What a version that has been released consists of never changes; a later one adds to it, and the next whole schema
/// takes its place when nobody has the versions before it any more. The numbers are those of PostgreSQL.
[[nodiscard]] std::span<const Migration> Migrations();

namespace schema {

extern const char kTasks[];      ///< tasks, what lies beside them, and their history
extern const char kLimits[];     ///< limits and pauses
extern const char kTurns[];      ///< the order of claiming
extern const char kKnowledge[];  ///< facts, incidents, energy ledger and stream states
extern const char kRegistry[];   ///< cluster epoch, instances, organs, agents and routing rules
extern const char kGraph[];      ///< nodes, edges and embeddings
extern const char kSteps[];
extern const char kSchedules[];
extern const char kRules[];     ///< versions of the rules
extern const char kExternal[];  ///< types left to workers outside

}  // namespace schema
}  // namespace seedcore::store::sqlite
