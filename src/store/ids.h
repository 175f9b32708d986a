#pragma once

#include <string_view>

#include "base/result.h"

/// How every store answers when a full id, or a prefix of at least 4 characters, names no single thing.
namespace seedcore::store {

/// kInvalidArgument when the prefix is too short. `what`: "task", "fact".
[[nodiscard]] Result<void> CheckPrefix(std::string_view what, std::string_view id_or_prefix);
[[nodiscard]] Error NoSuch(std::string_view what, std::string_view id_or_prefix);
[[nodiscard]] Error AmbiguousPrefix(std::string_view what, std::string_view id_or_prefix);

}  // namespace seedcore::store
