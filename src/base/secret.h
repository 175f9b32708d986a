#pragma once

#include <string>

namespace seedcore {

/// 256 bits of the operating system's randomness in lower-case hexadecimal, for tokens. The one kind of randomness that
/// does not come through Env: a secret that a seed can replay is none.
[[nodiscard]] std::string NewSecret();

}  // namespace seedcore
