#include "ray/version.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace seedcore::ray {
namespace {

/// Major and minor; nullopt when the text does not begin with two numbers.
std::optional<std::pair<int, int>> MajorMinor(std::string_view text) {
  std::pair<int, int> version;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.first);
  if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') return std::nullopt;
  if (std::from_chars(major.ptr + 1, end, version.second).ec != std::errc{}) return std::nullopt;
  return version;
}

}  // namespace

std::optional<std::string> VersionWarning(std::string_view version) {
  const auto found = MajorMinor(version);
  const auto tested = MajorMinor(kTestedRay);
  if (found == tested) return std::nullopt;
  if (!found) return fmt::format("the cluster runs Ray '{}'; tested is {}", version, kTestedRay);
  return fmt::format("the cluster runs Ray {}, {} than the tested {}", version, *found < *tested ? "older" : "newer",
                     kTestedRay);
}

}  // namespace seedcore::ray
