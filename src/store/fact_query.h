#pragma once

#include <string_view>

#include "store/store.h"

/// What the stores share about searching facts.
namespace seedcore::store {

/// kInvalidArgument names the field.
[[nodiscard]] Result<void> CheckQuery(const FactQuery& query);
/// Words are made of ASCII letters and digits, and of whatever is not ASCII.
[[nodiscard]] bool IsWordByte(char c);
/// Words were asked for, but what was given has none: nothing matches.
[[nodiscard]] bool AsksForNothing(const FactQuery& query);

}  // namespace seedcore::store
