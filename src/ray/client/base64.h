#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace seedcore::ray {

/// RFC 4648 section 4, with padding.
[[nodiscard]] std::string EncodeBase64(std::string_view bytes);
/// The inverse; kInvalidArgument for anything else than padded base64.
[[nodiscard]] Result<std::string> DecodeBase64(std::string_view text);

}  // namespace seedcore::ray
