#pragma once

#include <span>

/// The schema, one script per version. A released script never changes; a later version adds another. Table and column
/// names follow the earlier system where it had them. Times are Unix microseconds, JSON is text, ids are version-7
/// UUIDs.
namespace seedcore::store::sqlite {

struct Migration {
  int version;
  const char* description;
  const char* script;
};

/// In ascending order of version, starting with 1, without gaps.
[[nodiscard]] std::span<const Migration> Migrations();

extern const char kSchemaTasks[];
extern const char kSchemaKnowledge[];
extern const char kSchemaRegistry[];
extern const char kSchemaListeners[];
extern const char kSchemaDispatch[];
extern const char kSchemaGraph[];
extern const char kSchemaSteps[];
extern const char kSchemaSchedules[];
extern const char kSchemaTurns[];
extern const char kSchemaHistory[];
extern const char kSchemaBounds[];
extern const char kSchemaRules[];
extern const char kSchemaExternal[];

}  // namespace seedcore::store::sqlite
