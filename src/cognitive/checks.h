#pragma once

#include <string>
#include <vector>

#include "cognitive/provider.h"

/// What every answer has to pass, whoever gave it (P§5.6).
namespace seedcore::cognitive {

/// kInternal when the answer breaks a promise: another kind than asked for, a confidence outside [0, 1], a complexity
/// outside [1, 10], a statement that names evidence which is not listed, a plan with a cycle, a double or unknown step
/// id, or with a routing name (organ_id, instance_id, ...) as a member of a step.
[[nodiscard]] Result<void> CheckOutput(TaskType type, const ReasoningOutput& output);

/// What a reader should know: words that point to personal data (ssn, social security, credit card, password) and code
/// in the prose.
[[nodiscard]] std::vector<std::string> FindViolations(const ReasoningOutput& output);

/// Members that say where something runs; a plan must not hold them.
[[nodiscard]] bool IsRoutingName(std::string_view name);

}  // namespace seedcore::cognitive
