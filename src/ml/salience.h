#pragma once

#include <string_view>

#include "base/json_binding.h"
#include "base/result.h"

/// Salience: how much an event deserves attention and a place in memory, 0 to 1.
namespace seedcore::ml {

/// The one 12-feature contract. All in [0, 1] but response_time (seconds, 0 or more).
struct SalienceFeatures {
  double task_risk = 0.5;
  double failure_severity = 0.5;
  double task_complexity = 0.5;
  double agent_capability = 0.5;
  double agent_memory_util = 0.0;
  double system_load = 0.5;
  double memory_usage = 0.5;
  double cpu_usage = 0.5;
  double response_time = 1.0;
  double error_rate = 0.0;
  double user_impact = 0.5;
  double business_criticality = 0.5;

  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Optional("task_risk", &SalienceFeatures::task_risk, "Risk of the task, 0 to 1"),
             Optional("failure_severity", &SalienceFeatures::failure_severity, "Severity of the failure, 0 to 1"),
             Optional("task_complexity", &SalienceFeatures::task_complexity, "Complexity of the task, 0 to 1"),
             Optional("agent_capability", &SalienceFeatures::agent_capability, "Capability of the agent, 0 to 1"),
             Optional("agent_memory_util", &SalienceFeatures::agent_memory_util, "Memory utility of the agent, 0 to 1"),
             Optional("system_load", &SalienceFeatures::system_load, "Load of the system, 0 to 1"),
             Optional("memory_usage", &SalienceFeatures::memory_usage, "Memory in use, 0 to 1"),
             Optional("cpu_usage", &SalienceFeatures::cpu_usage, "CPU in use, 0 to 1"),
             Optional("response_time", &SalienceFeatures::response_time, "Response time, seconds"),
             Optional("error_rate", &SalienceFeatures::error_rate, "Share of failed calls, 0 to 1"),
             Optional("user_impact", &SalienceFeatures::user_impact, "Impact on users, 0 to 1"),
             Optional("business_criticality", &SalienceFeatures::business_criticality,
                      "Criticality for the business, 0 to 1"));
};

/// clip(core * (0.9 + 0.2 strain), 0, 1) with
///   core   = 0.3 risk + 0.3 severity + 0.2 user_impact + 0.2 business_criticality
///   strain = mean of complexity, 1 - capability, memory_util, load, memory, cpu, min(response_time / 5, 1),
///   error_rate.
/// Rises with every feature but capability; deterministic. `core` is the target the earlier model was trained on.
[[nodiscard]] double ScoreSalience(const SalienceFeatures& features);

/// Features a text speaks of: words of failure, urgency, danger and impact raise severity, risk and impact (the
/// strongest word of each kind counts), a negation right before a word takes it back. A text that speaks of none is
/// calm: 0.1 each. `priority` 1 to 10 sets business_criticality to priority / 10.
[[nodiscard]] SalienceFeatures FeaturesFromText(std::string_view text, double priority = 5.0);

}  // namespace seedcore::ml
