#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

const char kExternal[] = R"sql(
CREATE TABLE external_type (
  type          TEXT PRIMARY KEY,
  registered_at TIMESTAMPTZ NOT NULL
);
)sql";

}  // namespace seedcore::store::postgres::schema
