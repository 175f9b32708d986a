#include "store/sqlite/schema.h"

namespace seedcore::store::sqlite {

// In PostgreSQL the history is in two tables, and this view shows them as one. Here it is one, under the same name.
const char kSchemaHistory[] = R"sql(
CREATE VIEW task_history AS
  SELECT seq, task_seq, at, fencing_token, status, attempt, kind, owner_id, detail FROM task_event;
)sql";

}  // namespace seedcore::store::sqlite
