#pragma once

#include <string_view>
#include <variant>

#include "base/call_context.h"
#include "cognitive/knowledge.h"
#include "cognitive/output.h"
#include "cognitive/request.h"

namespace seedcore::cognitive {

/// Everything a provider may look at. References are valid for the call.
struct ReasoningInput {
  TaskType type{};
  const ReasoningRequest& request;
  const Knowledge& knowledge;
};

/// One alternative for each TaskType, in its order.
using ReasoningOutput =
    std::variant<FailureAnalysis, TaskPlan, ReasonedDecision, Solution, Synthesis, CapabilityAssessment>;

/// Somebody who reasons. Stateless as far as the caller can tell; any thread.
class Provider {
 public:
  virtual ~Provider() = default;
  /// Lower case, for metadata and metrics: "rules".
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The model behind it, or the version of the rules: part of the cache key.
  [[nodiscard]] virtual std::string_view model() const = 0;
  /// The alternative of `input.type`. Returns soon after the call's deadline or stop, with kDeadlineExceeded or
  /// kCancelled. kInvalidArgument names the path in the request.
  [[nodiscard]] virtual Result<ReasoningOutput> Reason(const ReasoningInput& input, const CallContext& call) = 0;
  /// Why it can't reason now, if so.
  [[nodiscard]] virtual Result<void> CheckHealth() = 0;
};

}  // namespace seedcore::cognitive
