#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

const char kSchemaRules[] = R"sql(
CREATE TABLE rule_version (
  version    BIGINT PRIMARY KEY,
  text       TEXT,               -- NULL: withdrawn
  note       TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);
)sql";

}  // namespace seedcore::store::postgres
