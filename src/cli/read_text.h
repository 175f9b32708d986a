#pragma once

#include <string>

#include "base/result.h"

namespace seedcore::cli {

/// The text of an option that takes a text, `@FILE`, or `-` for standard input. kNotFound names the option.
[[nodiscard]] Result<std::string> ReadText(const std::string& argument, const std::string& option);

}  // namespace seedcore::cli
