#include "store/schema_version.h"

#include <fmt/format.h>

namespace seedcore::store {

Result<void> CheckSchemaVersion(int found, int oldest, int newest) {
  if (found > newest) {
    return Fail(ErrorCode::kCorrupt, fmt::format("the database has schema version {}, this program knows up to {}; use "
                                                 "the newer program or restore an older backup",
                                                 found, newest));
  }
  if (found > 0 && found < oldest) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("the database has schema version {}, this program migrates from version "
                            "{} on; migrate it with a program between the two first",
                            found, oldest));
  }
  return {};
}

}  // namespace seedcore::store
