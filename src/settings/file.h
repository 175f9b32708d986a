#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "settings/value.h"

namespace seedcore::settings {

/// One key of a settings file with dots between the levels, its value, and the line it stands on (from 1).
struct FileEntry {
  std::string key;
  RawValue value;
  int line = 0;
};

/// The keys of a YAML mapping, nested ones joined by dots: `queue: {lease: 10s}` and `queue.lease: 10s` are the same. A
/// key without a value is left out. kMalformed, with the line: not YAML, not a mapping, a key twice, a value that is
/// neither a scalar nor a list of scalars, more than 1 MiB or 1000 keys.
[[nodiscard]] Result<std::vector<FileEntry>> ParseSettingsFile(std::string_view text);

}  // namespace seedcore::settings
