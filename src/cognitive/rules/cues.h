#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cognitive/output.h"

/// What words in free text hint at. Pure.
namespace seedcore::cognitive::rules {

/// Whether `phrase` (lower case, words separated by one space) stands in `text` as whole words.
[[nodiscard]] bool HasPhrase(std::string_view text, std::string_view phrase);

/// The action a text recommends: its first cue that is not negated ("do not retry" recommends nothing).
[[nodiscard]] std::optional<Action> ActionInText(std::string_view text);

/// What kind of failure an error text speaks of.
enum class ErrorClass { kUnknown, kTransient, kCapacity, kPermanent };
[[nodiscard]] ErrorClass ClassifyError(std::string_view text);

/// Whether a text gives an expected cause for unusual values: a holiday, maintenance, a planned change, ...; the cue
/// found.
[[nodiscard]] std::optional<std::string_view> ExpectedCause(std::string_view text);

/// A scalar somewhere inside a JSON object.
struct Leaf {
  std::string path;  ///< "meta.cpu_utilization", "errors[0].message"
  std::string name;  ///< last member name, lower case
  const json::value* value = nullptr;
};
/// Strings, numbers and bools in order, at most `limit`; members named in `skip` are left out with all that is below
/// them.
[[nodiscard]] std::vector<Leaf> Leaves(const json::object& object, std::size_t limit,
                                       const std::vector<std::string_view>& skip = {});

}  // namespace seedcore::cognitive::rules
