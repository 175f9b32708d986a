#include "store/sqlite/schema.h"

namespace seedcore::store::sqlite {

// PostgreSQL keeps apart where claims, the reaper and retention find tasks, because there a change of an index costs
// more than the row. Here the indexes of `tasks` do that.
const char kSchemaPlaces[] = "";

}  // namespace seedcore::store::sqlite
