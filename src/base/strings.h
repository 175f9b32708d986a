#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace seedcore {

/// ASCII lower case.
[[nodiscard]] std::string ToLower(std::string_view text);
/// Without leading and trailing ASCII white space.
[[nodiscard]] std::string_view Trim(std::string_view text);
/// The parts between separators, trimmed, empty ones left out.
[[nodiscard]] std::vector<std::string> SplitList(std::string_view text, char separator = ',');

/// The known name nearest to `name` by edit distance, if it is near enough to be a slip of the keys.
[[nodiscard]] std::optional<std::string_view> NearestName(std::string_view name,
                                                          std::span<const std::string_view> known);

/// RFC 3986 percent-encoding of everything but unreserved characters.
[[nodiscard]] std::string PercentEncode(std::string_view text);

/// Equality whose running time does not depend on where the texts differ; for secrets.
[[nodiscard]] bool ConstantTimeEquals(std::string_view a, std::string_view b);

}  // namespace seedcore
