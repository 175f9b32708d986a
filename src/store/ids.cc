#include "store/ids.h"

#include <fmt/format.h>

namespace seedcore::store {

Result<void> CheckPrefix(std::string_view what, std::string_view id_or_prefix) {
  constexpr std::size_t kShortest = 4;
  if (id_or_prefix.size() >= kShortest) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is too short for a {} id; give at least {} characters", id_or_prefix, what, kShortest));
}

Error NoSuch(std::string_view what, std::string_view id_or_prefix) {
  return {ErrorCode::kNotFound, fmt::format("there is no {} {}", what, id_or_prefix), {}};
}

Error AmbiguousPrefix(std::string_view what, std::string_view id_or_prefix) {
  return {ErrorCode::kAmbiguous, fmt::format("more than one {} id begins with {}", what, id_or_prefix), {}};
}

}  // namespace seedcore::store
