#include "coordinator/triage.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::coordinator {
namespace {

constexpr std::size_t kMaxKeptText = 1000;

/// 0 for what is no severity at all.
int Rank(std::string_view severity) {
  constexpr std::array<std::string_view, 4> kSeverities = {"low", "medium", "high", "critical"};
  const auto found = std::ranges::find(kSeverities, severity);
  return found == kSeverities.end() ? 0 : static_cast<int>(found - kSeverities.begin()) + 1;
}

bool IsSecret(std::string_view key) {
  const std::string lower = ToLower(key);
  constexpr std::array<std::string_view, 5> kSecrets = {"password", "token", "key", "secret", "auth"};
  return std::ranges::any_of(kSecrets, [&](std::string_view word) { return lower.contains(word); });
}

}  // namespace

void AddFinding(TriageFindings& findings, double score, std::string_view severity) {
  ++findings.count;
  findings.max_score = std::max(findings.max_score, score);
  if (Rank(severity) > Rank(findings.worst)) findings.worst = severity;
}

std::string ReasonToEscalate(RouteAction rules_say, std::string_view rule_reason, const TriageFindings& findings) {
  if (rules_say == RouteAction::kEscalate) return std::string(rule_reason);
  if (Rank(findings.worst) >= Rank("high")) {
    return fmt::format("{} anomalous point{}, the worst of severity {}", findings.count, findings.count == 1 ? "" : "s",
                       findings.worst);
  }
  return {};
}

TriageDecision DecideWithoutAnalysis(const TriageFindings& findings) {
  if (findings.count == 0) return {"ignore", "No point of the series is anomalous", 1.0};
  return {"hold",
          fmt::format("{} anomalous point{} of severity {} at most: keep watching", findings.count,
                      findings.count == 1 ? "" : "s", findings.worst.empty() ? "unknown" : findings.worst),
          1.0 - findings.max_score};
}

bool IsIncident(std::string_view action) {
  return action == "escalate" || action == "investigate" || action == "scale_up";
}

json::value Redact(const json::value& value) {
  if (const json::object* object = value.if_object()) {
    json::object copy;
    for (const auto& member : *object) {
      copy[member.key()] = IsSecret(member.key()) ? json::value("[REDACTED]") : Redact(member.value());
    }
    return copy;
  }
  if (const json::array* array = value.if_array()) {
    json::array copy;
    copy.reserve(array->size());
    for (const json::value& element : *array) copy.push_back(Redact(element));
    return copy;
  }
  const json::string* text = value.if_string();
  if (text == nullptr || text->size() <= kMaxKeptText) return value;
  std::size_t cut = kMaxKeptText;
  while (cut > 0 && (static_cast<unsigned char>((*text)[cut]) & 0xC0U) == 0x80U) --cut;
  return json::string(std::string(text->data(), cut) + "... [TRUNCATED]");
}

}  // namespace seedcore::coordinator
