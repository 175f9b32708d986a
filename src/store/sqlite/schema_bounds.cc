#include "store/sqlite/schema.h"

namespace seedcore::store::sqlite {

// For the look of the retention, which forgets the streams that were not touched for longest. PostgreSQL has no such
// index: with it each update of a stream that is touched often would leave an entry behind in both indexes.
const char kSchemaBounds[] = R"sql(
CREATE INDEX idx_stream_state_updated_at ON stream_state (kind, updated_at);
)sql";

}  // namespace seedcore::store::sqlite
