#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace seedcore::ray {

/// The Ray versions that the test suite runs against: this major and minor version, any patch.
inline constexpr std::string_view kTestedRay = "2.60";

/// A warning that names both versions when `version` is older or newer than the tested ones; nullopt when it is not.
[[nodiscard]] std::optional<std::string> VersionWarning(std::string_view version);

}  // namespace seedcore::ray
