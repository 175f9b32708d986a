#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "coordinator/rules.h"

/// The pure parts of anomaly triage (C§4.8).
namespace seedcore::coordinator {

/// What the detector found in a series.
struct TriageFindings {
  std::int64_t count = 0;  ///< anomalous points
  double max_score = 0.0;  ///< 0..1
  std::string worst;       ///< highest severity: low, medium, high or critical; empty when there is none
};

/// Adds one anomalous point.
void AddFinding(TriageFindings& findings, double score, std::string_view severity);

/// Whether a person's or a planner's time is warranted: when the rules say so, or when a point is of severity high or
/// critical. The reason why, or empty when it is not.
[[nodiscard]] std::string ReasonToEscalate(RouteAction rules_say, std::string_view rule_reason,
                                           const TriageFindings& findings);

/// What is to be done, from findings that call for no deeper analysis.
struct TriageDecision {
  std::string action;  ///< ignore, hold; with an analysis also investigate, retry, scale_up, escalate
  std::string reasoning;
  double confidence = 0.0;
};
[[nodiscard]] TriageDecision DecideWithoutAnalysis(const TriageFindings& findings);

/// Whether the decision is worth an entry in the incident memory.
[[nodiscard]] bool IsIncident(std::string_view action);

/// A copy fit for keeping: values under keys that contain password, token, key, secret or auth (any case) become
/// "[REDACTED]", texts longer than 1000 bytes are cut at a character and end in "... [TRUNCATED]".
[[nodiscard]] json::value Redact(const json::value& value);

}  // namespace seedcore::coordinator
