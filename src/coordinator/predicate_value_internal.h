#pragma once

#include "coordinator/predicate_value.h"

/// What the files of the value arithmetic share.
namespace seedcore::coordinator::internal {

/// Steps a text of `bytes` costs: a step covers what one pass of a vectorized loop does.
[[nodiscard]] inline std::size_t TextSteps(std::size_t bytes) { return 1 + bytes / 64; }

[[nodiscard]] inline bool IsSequence(ValueKind kind) { return kind == ValueKind::kList || kind == ValueKind::kTuple; }

/// Turns a document into a list or dict one level deep; other values stay.
[[nodiscard]] Fault Open(Value& value, Scratch& scratch);
[[nodiscard]] Fault Equal(Value a, Value b, Scratch& scratch, bool& out);
/// The value under `key` in a dict; null when there is none.
[[nodiscard]] Fault FindKey(std::span<const Value> flat, const Value& key, Scratch& scratch, const Value*& found);

}  // namespace seedcore::coordinator::internal
