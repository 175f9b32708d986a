#include "store/sqlite/schema.h"

namespace seedcore::store::sqlite {

const char kSchemaExternal[] = R"sql(
CREATE TABLE external_type (
  type          TEXT PRIMARY KEY,
  registered_at INTEGER NOT NULL
) WITHOUT ROWID;
)sql";

}  // namespace seedcore::store::sqlite
