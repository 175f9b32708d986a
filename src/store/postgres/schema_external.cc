#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

const char kSchemaExternal[] = R"sql(
CREATE TABLE external_type (
  type          TEXT PRIMARY KEY,
  registered_at TIMESTAMPTZ NOT NULL
);
)sql";

}  // namespace seedcore::store::postgres
