#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "ray/client/py_value.h"

namespace seedcore::ray {

/// A pickle of `value` in protocol 2, or 3 where it holds bytes: every Python 3 reads both. Only plain data is ever
/// written, never an object, a class or a reference. kInvalidArgument when `value` is nested deeper than kMaxPyDepth,
/// kPayloadTooLarge beyond `max_bytes`. Pure; any thread.
[[nodiscard]] Result<std::string> WritePickle(const PyValue& value, std::size_t max_bytes);

}  // namespace seedcore::ray
