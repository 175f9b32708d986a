#include "ml/anomaly.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace seedcore::ml {
namespace {

constexpr double kLargestMagnitude = 1e300;
/// Tails are learnt from here on; the models' very first comparisons say nothing.
constexpr std::uint64_t kFirstLearnt = 11;
/// Surprise, in decades, that a single statistic shows in ordinary data.
constexpr double kOrdinarySurprise = 1.5;
/// The pattern types overlap, so the sum of their surprises counts only in part.
constexpr double kNoveltyShare = 0.25;
constexpr double kUncorrectedLooks = 1000.0;
constexpr double kHalfStrength = 5.1;
constexpr std::size_t kCheckEvery = 4096;

Severity SeverityOf(double score) {
  if (score >= 0.75) return Severity::kCritical;
  if (score >= 0.67) return Severity::kHigh;
  if (score >= 0.6) return Severity::kMedium;
  return Severity::kLow;
}

}  // namespace

std::string_view ToString(Severity severity) {
  switch (severity) {
    case Severity::kLow: return "low";
    case Severity::kMedium: return "medium";
    case Severity::kHigh: return "high";
    case Severity::kCritical: return "critical";
  }
  return "unknown";
}

AnomalyDetector::AnomalyDetector(AnomalySettings settings) : settings_(settings), filter_(settings.quiet_period) {}

std::expected<AnomalyScore, std::string> AnomalyDetector::Observe(double value,
                                                                  std::optional<std::chrono::sys_seconds> when) {
  if (!std::isfinite(value)) return std::unexpected("the value is not a finite number");
  const double bounded = std::clamp(value, -kLargestMagnitude, kLargestMagnitude);
  const Observation observation = collector_.Observe(bounded, when);
  std::optional<EvidenceKind> strongest;
  const double strength = filter_.Admit(Strength(observation, strongest));
  const auto outlier =
      settings_.report == Reporting::kPoints ? outliers_.Observe(bounded, observation.seasonal) : std::nullopt;
  ++seen_;

  AnomalyScore result;
  result.score = strength / (strength + kHalfStrength);
  result.expected = observation.expected;
  const double outlier_score = outlier ? outlier->ratio / (outlier->ratio + 1.0) : 0.0;
  const bool is_outlier = outlier_score > result.score;
  if (is_outlier) {
    result.score = outlier_score;
    result.expected = outlier->expected;
  }
  result.severity = SeverityOf(result.score);
  if (result.score < settings_.threshold) return result;
  result.reason = is_outlier  ? DescribeOutlier(value, *outlier)
                  : strongest ? DescribeEvidence(observation, *strongest)
                              : DescribeNovelty(observation);
  return result;
}

double AnomalyDetector::Strength(const Observation& observation, std::optional<EvidenceKind>& strongest) {
  double strength = kNoveltyShare * observation.novelty.surprise;
  double most = strength;
  for (std::size_t kind = 0; kind < kEvidenceKinds; ++kind) {
    if (!observation.evidence[kind]) continue;
    const Evidence& evidence = *observation.evidence[kind];
    const double surprise = evidence.surprise.value_or(tails_[kind].Surprise(evidence.statistic));
    const double beyond = std::max(0.0, surprise - kOrdinarySurprise);
    if (seen_ >= kFirstLearnt && !evidence.surprise) tails_[kind].Learn(evidence.statistic);
    strength += beyond;
    if (beyond > most) {
      most = beyond;
      strongest = static_cast<EvidenceKind>(kind);
    }
  }
  if (seen_ < settings_.warm_up) return 0.0;
  const double looks = static_cast<double>(seen_) / kUncorrectedLooks;
  return std::max(0.0, strength - std::max(0.0, std::log10(std::max(looks, 1.0))));
}

Result<std::vector<AnomalyPoint>> DetectAnomalies(std::span<const double> values,
                                                  std::span<const std::chrono::sys_seconds> times,
                                                  AnomalySettings settings,
                                                  const std::function<Result<void>()>& check) {
  if (!times.empty() && times.size() != values.size()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} times for {} values", times.size(), values.size()));
  }
  AnomalyDetector detector(settings);
  std::vector<AnomalyPoint> points;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (check && i % kCheckEvery == 0) SEEDCORE_RETURN_IF_ERROR(check());
    const auto when = times.empty() ? std::nullopt : std::optional(times[i]);
    auto verdict = detector.Observe(values[i], when);
    if (!verdict) return Fail(ErrorCode::kInvalidArgument, fmt::format("value {}: {}", i, verdict.error()));
    if (verdict->score < settings.threshold) continue;
    points.push_back({.index = i,
                      .value = values[i],
                      .score = verdict->score,
                      .severity = verdict->severity,
                      .expected = verdict->expected,
                      .reason = std::move(verdict->reason)});
  }
  return points;
}

}  // namespace seedcore::ml
