#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

const char kRules[] = R"sql(
CREATE TABLE rule_version (
  version    INTEGER PRIMARY KEY,
  text       TEXT,               -- NULL: withdrawn
  note       TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
)sql";

}  // namespace seedcore::store::sqlite::schema
