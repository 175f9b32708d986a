#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/json_binding.h"

/// Whether a service has too much or too little capacity.
namespace seedcore::ml {

struct ScalingMetrics {
  std::optional<double> cpu_usage;
  std::optional<double> memory_usage;
  std::optional<double> response_time;
  std::optional<double> request_rate;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Sparse("cpu_usage", &ScalingMetrics::cpu_usage, "CPU in use, 0 to 1"),
             Sparse("memory_usage", &ScalingMetrics::memory_usage, "Memory in use, 0 to 1"),
             Sparse("response_time", &ScalingMetrics::response_time, "Response time, seconds"),
             Sparse("request_rate", &ScalingMetrics::request_rate, "Requests per second"));
};

enum class ScalingAction { kScaleUp, kScaleDown, kMaintain, kMonitor };
/// "scale_up", "scale_down", "maintain" or "monitor".
[[nodiscard]] std::string_view ToString(ScalingAction action);

struct ScalingAdvice {
  ScalingAction action = ScalingAction::kMonitor;
  double scale = 1.0;                     ///< mean of the factors: capacity wanted relative to now
  double confidence = 0.0;                ///< present metrics / 3, +0.1 with a request rate, at most 1
  std::string priority;                   ///< high (scale > 1.5, confidence > 0.8), medium (> 1.2, > 0.6), else low
  std::map<std::string, double> factors;  ///< per metric present
  std::string reason;
};

/// Each metric asks for a factor: above its upper threshold more, below its lower one less (cpu 0.7/0.3, memory
/// 0.75/0.4, response 1.5/0.5 s). scale_up when cpu or memory is above 0.8 or the mean factor above 1.2; scale_down
/// when cpu and memory are both below 0.2 and the response time is not above 1.5 s; otherwise monitor below a
/// confidence of 0.5, else maintain. Deterministic. At least one of cpu, memory and response time must be present.
[[nodiscard]] ScalingAdvice AdviseScaling(const ScalingMetrics& metrics);

}  // namespace seedcore::ml
