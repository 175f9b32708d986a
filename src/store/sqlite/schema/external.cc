#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

const char kExternal[] = R"sql(
CREATE TABLE external_type (
  type          TEXT PRIMARY KEY,
  registered_at INTEGER NOT NULL
) WITHOUT ROWID;
)sql";

}  // namespace seedcore::store::sqlite::schema
