#include "coordinator/signals.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace seedcore::coordinator {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

const std::array<SignalInfo, kSignalCount>& AllSignals() {
  using enum SignalType;
  static constexpr std::array<SignalInfo, kSignalCount> kSignals = {{
      {"p_fast", kFloat, 0, 1, "Share of recent drift verdicts that did not escalate; 1 when there are none"},
      {"s_drift", kFloat, -kInfinity, kInfinity, "Drift of this task against its stream, from the ML service"},
      {"escalation_ratio", kFloat, 0, 1, "Share of recent routing decisions that escalated"},
      {"ΔE_est", kFloat, -kInfinity, kInfinity, "Energy a tuning run is expected to save"},
      {"ΔE_realized", kFloat, -kInfinity, kInfinity, "Energy the last tuning run saved"},
      {"energy_cost", kFloat, -kInfinity, kInfinity, "Energy a tuning run costs"},
      {"gpu_queue_depth", kInt, 0, kInfinity, "Tuning jobs waiting for a GPU"},
      {"gpu_concurrent_jobs", kInt, 0, kInfinity, "Tuning jobs running on GPUs"},
      {"gpu_budget_remaining_s", kFloat, 0, kInfinity, "GPU seconds left today"},
      {"gpu_guard_ok", kBool, 0, 1, "Whether the GPU guard admits a job now"},
      {"fast_path_latency_ms", kFloat, 0, kInfinity, "Median time of recent fast-path executions"},
      {"hgnn_latency_ms", kFloat, 0, kInfinity, "Median time of recent escalated executions"},
      {"success_rate", kFloat, 0, 1, "Share of recent executions that succeeded"},
      {"memory_utilization", kFloat, 0, 1, "Memory in use, of this machine or container"},
      {"cpu_utilization", kFloat, 0, 1, "CPU time in use, of this machine or container"},
      {"task_priority", kInt, 1, 10, "Priority of this task"},
      {"task_complexity", kFloat, 0, 1, "Complexity of this task (params.complexity)"},
      {"ocps_escalate", kBool, 0, 1, "Whether the drift valve of this task's stream opened at this task"},
  }};
  return kSignals;
}

Result<void> Signals::Set(Signal signal, double value) {
  const auto index = static_cast<std::size_t>(signal);
  const SignalInfo& info = AllSignals()[index];
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}, got {}", why, value), std::string(info.name));
  };
  if (!std::isfinite(value)) return refuse("must be finite");
  if (value < info.low || value > info.high) {
    return refuse(fmt::format("must be between {} and {}", info.low, info.high));
  }
  if (info.type != SignalType::kFloat && std::floor(value) != value) return refuse("must be whole");
  values_[index] = value;
  return {};
}

void Signals::SetMeasured(Signal signal, std::optional<double> value) {
  if (value) static_cast<void>(Set(signal, *value));
}

json::object Signals::ToJson() const {
  json::object object;
  for (std::size_t i = 0; i < kSignalCount; ++i) {
    if (!values_[i]) continue;
    const SignalInfo& info = AllSignals()[i];
    switch (info.type) {
      case SignalType::kFloat: object[info.name] = *values_[i]; break;
      case SignalType::kInt: object[info.name] = static_cast<std::int64_t>(*values_[i]); break;
      case SignalType::kBool: object[info.name] = *values_[i] != 0.0; break;
    }
  }
  return object;
}

}  // namespace seedcore::coordinator
