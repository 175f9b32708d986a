#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

const char kRules[] = R"sql(
CREATE TABLE rule_version (
  version    BIGINT PRIMARY KEY,
  text       TEXT,               -- NULL: withdrawn
  note       TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);
)sql";

}  // namespace seedcore::store::postgres::schema
