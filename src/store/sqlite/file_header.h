#pragma once

#include <string>

#include "base/result.h"

namespace seedcore::store::sqlite {

/// That a file, when there is one with anything in it, is an SQLite database: SQLite takes a short file for an empty
/// database and would overwrite it. kCorrupt: it is not. kUnavailable: it cannot be read.
[[nodiscard]] Result<void> CheckHeader(const std::string& path);

}  // namespace seedcore::store::sqlite
