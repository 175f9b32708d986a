#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace seedcore::coordinator {

/// Replaces references to the outputs of earlier steps in the parameters of a step. "${step_1.answer.value}" is the
/// member `answer.value` of what step_1 put out; array elements are named by index ("${step_1.facts.0.text}"). A text
/// that is one reference becomes the value itself; inside a longer text it becomes its text. Texts without a reference
/// stay as they are. `inputs`: outputs by step id. kInvalidArgument: a reference to a step that is not among them, or
/// to a member that is not there.
[[nodiscard]] Result<json::value> ResolveInputs(const json::value& params, const json::object& inputs);

/// Before there are outputs: kInvalidArgument when a reference names none of `steps`.
[[nodiscard]] Result<void> CheckReferences(const json::value& params, std::span<const std::string> steps);

}  // namespace seedcore::coordinator
