#include "ml/scaling.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace seedcore::ml {
namespace {

/// One row of P§4: above `up` the factor rises by `rise` per unit, below `down` it falls by `fall`.
struct Threshold {
  std::string_view name;
  double up;
  double down;
  double rise;
  double fall;
  double min;
  double max;
};
constexpr Threshold kCpu{"cpu_usage", 0.7, 0.3, 2.0, 0.5, 0.5, 2.0};
constexpr Threshold kMemory{"memory_usage", 0.75, 0.4, 1.5, 0.3, 0.5, 2.0};
constexpr Threshold kResponse{"response_time", 1.5, 0.5, 0.3, 0.2, 0.8, 1.5};

constexpr double kHigh = 0.8;
constexpr double kLow = 0.2;
constexpr double kScaleUpFactor = 1.2;
constexpr double kEnoughConfidence = 0.5;

double Factor(const Threshold& threshold, double value) {
  double factor = 1.0;
  if (value > threshold.up) factor += threshold.rise * (value - threshold.up);
  if (value < threshold.down) factor -= threshold.fall * (threshold.down - value);
  return std::clamp(factor, threshold.min, threshold.max);
}

Result<void> CheckRange(const std::optional<double>& value, double max, std::string_view name) {
  if (!value || (*value >= 0.0 && *value <= max)) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("must be within 0 and {}, got {}", max, *value),
              std::string(name));
}

void Decide(const ScalingMetrics& metrics, ScalingAdvice& advice) {
  const auto above = [](const std::optional<double>& value, double limit) { return value && *value > limit; };
  const auto below = [](const std::optional<double>& value, double limit) { return value && *value < limit; };
  if (above(metrics.cpu_usage, kHigh)) {
    advice.action = ScalingAction::kScaleUp;
    advice.reason = fmt::format("cpu_usage {:.2f} is above {}", *metrics.cpu_usage, kHigh);
  } else if (above(metrics.memory_usage, kHigh)) {
    advice.action = ScalingAction::kScaleUp;
    advice.reason = fmt::format("memory_usage {:.2f} is above {}", *metrics.memory_usage, kHigh);
  } else if (advice.scale > kScaleUpFactor) {
    advice.action = ScalingAction::kScaleUp;
    advice.reason = fmt::format("the metrics together ask for {:.2f} times the capacity", advice.scale);
  } else if (below(metrics.cpu_usage, kLow) && below(metrics.memory_usage, kLow) &&
             !above(metrics.response_time, kResponse.up)) {
    advice.action = ScalingAction::kScaleDown;
    advice.reason = fmt::format("cpu_usage and memory_usage are below {}", kLow);
  } else if (advice.confidence < kEnoughConfidence) {
    advice.action = ScalingAction::kMonitor;
    advice.reason = "too few metrics to decide; none of them is at a limit";
  } else {
    advice.action = ScalingAction::kMaintain;
    advice.reason = "no metric is at a limit";
  }
}

}  // namespace

Result<void> ScalingMetrics::Validate() const {
  constexpr double kNoLimit = 1e9;
  SEEDCORE_RETURN_IF_ERROR(CheckRange(cpu_usage, 1.0, "cpu_usage"));
  SEEDCORE_RETURN_IF_ERROR(CheckRange(memory_usage, 1.0, "memory_usage"));
  SEEDCORE_RETURN_IF_ERROR(CheckRange(response_time, kNoLimit, "response_time"));
  return CheckRange(request_rate, kNoLimit, "request_rate");
}

std::string_view ToString(ScalingAction action) {
  switch (action) {
    case ScalingAction::kScaleUp: return "scale_up";
    case ScalingAction::kScaleDown: return "scale_down";
    case ScalingAction::kMaintain: return "maintain";
    case ScalingAction::kMonitor: return "monitor";
  }
  return "?";
}

ScalingAdvice AdviseScaling(const ScalingMetrics& metrics) {
  ScalingAdvice advice;
  const auto consider = [&](const Threshold& threshold, const std::optional<double>& value) {
    if (value) advice.factors[std::string(threshold.name)] = Factor(threshold, *value);
  };
  consider(kCpu, metrics.cpu_usage);
  consider(kMemory, metrics.memory_usage);
  consider(kResponse, metrics.response_time);
  if (advice.factors.empty()) {
    advice.priority = "low";
    advice.reason = "no metric to decide on";
    return advice;
  }

  double sum = 0.0;
  for (const auto& [name, factor] : advice.factors) sum += factor;
  const auto present = static_cast<double>(advice.factors.size());
  advice.scale = sum / present;
  advice.confidence = std::min(present / 3.0 + (metrics.request_rate ? 0.1 : 0.0), 1.0);
  Decide(metrics, advice);
  advice.priority = advice.scale > 1.5 && advice.confidence > 0.8   ? "high"
                    : advice.scale > 1.2 && advice.confidence > 0.6 ? "medium"
                                                                    : "low";
  return advice;
}

}  // namespace seedcore::ml
