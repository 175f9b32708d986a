#include "store/sqlite/schema.h"

namespace seedcore::store::sqlite {

const char kSchemaListeners[] = R"sql(
ALTER TABLE registry_instance ADD COLUMN service TEXT NOT NULL DEFAULT '';  -- empty: serves nothing itself
ALTER TABLE registry_instance ADD COLUMN address TEXT NOT NULL DEFAULT '';  -- HOST:PORT
)sql";

}  // namespace seedcore::store::sqlite
