#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace seedcore::coordinator {

/// Every value a rule may ask for by name.
enum class Signal : std::uint8_t {
  kPFast,
  kSDrift,
  kEscalationRatio,
  kDeltaEEst,
  kDeltaERealized,
  kEnergyCost,
  kGpuQueueDepth,
  kGpuConcurrentJobs,
  kGpuBudgetRemainingS,
  kGpuGuardOk,
  kFastPathLatencyMs,
  kHgnnLatencyMs,
  kSuccessRate,
  kMemoryUtilization,
  kCpuUtilization,
  kTaskPriority,
  kTaskComplexity,
  kOcpsEscalate,
};
inline constexpr std::size_t kSignalCount = 18;

enum class SignalType : std::uint8_t { kFloat, kInt, kBool };

struct SignalInfo {
  std::string_view name;
  SignalType type = SignalType::kFloat;
  double low;   ///< inclusive; may be infinite
  double high;  ///< inclusive; may be infinite
  std::string_view meaning;
};

/// In the order of the enumeration.
[[nodiscard]] const std::array<SignalInfo, kSignalCount>& AllSignals();

/// The signals of one request. A value of its own per request: nothing here is shared, so no task can be routed with
/// the measurements of another. What has not been measured is absent and is null to a rule.
class Signals {
 public:
  /// kInvalidArgument: not finite, outside the range, or not whole where whole numbers are meant. The old value stays.
  [[nodiscard]] Result<void> Set(Signal signal, double value);
  /// As Set, for a measurement that may be missing; one that breaks its range is left out.
  void SetMeasured(Signal signal, std::optional<double> value);
  [[nodiscard]] std::optional<double> Get(Signal signal) const { return values_[static_cast<std::size_t>(signal)]; }
  /// Name to number or bool; absent ones left out.
  [[nodiscard]] json::object ToJson() const;

 private:
  std::array<std::optional<double>, kSignalCount> values_;
};

}  // namespace seedcore::coordinator
