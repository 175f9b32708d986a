#include "ml/evidence.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace seedcore::ml {
namespace {

constexpr std::size_t kShortRecent = 12;
constexpr std::size_t kShortBefore = 144;
constexpr std::size_t kShortNeeded = 41;
constexpr std::size_t kLongRecent = 48;
constexpr std::size_t kLongBefore = 600;
constexpr std::size_t kLongNeeded = 101;
constexpr std::size_t kSeasonShort = 8;
constexpr std::size_t kSeasonLong = 48;
constexpr std::size_t kFirstDeviation = 4;
/// Values further from the level than this many deviations look alike to the pattern tables, whose
/// grid one absurd value would otherwise widen for good.
constexpr double kPatternReach = 200.0;
constexpr std::uint64_t kSettledLevel = 30;
constexpr double kLeastSpread = 0.01;
/// More deviations than this are not worth a number: the series was (almost) constant.
constexpr double kBeyondMeasure = 1000.0;
constexpr double kContextRate = 0.15;

std::optional<Evidence>& At(Observation& observation, EvidenceKind kind) {
  return observation.evidence[std::to_underlying(kind)];
}

/// |distance| in units of `deviation`, finite even against the deviation of a constant series.
double Ratio(double distance, double deviation) {
  constexpr double kLargest = 1e9;
  return std::min(std::abs(distance) / deviation, kLargest);
}

std::optional<double> DayShare(std::optional<std::chrono::sys_seconds> when) {
  if (!when) return std::nullopt;
  const std::chrono::duration<double, std::chrono::days::period> since_midnight =
      *when - std::chrono::floor<std::chrono::days>(*when);
  return since_midnight.count();
}

}  // namespace

Observation EvidenceCollector::Observe(double value, std::optional<std::chrono::sys_seconds> when) {
  Observation observation;
  observation.value = value;
  observation.expected = level_.mean();
  if (history_.size() == 0) {
    observation.expected = lowest_ = highest_ = value;
  }
  observation.lowest_before = lowest_;
  observation.highest_before = highest_;
  lowest_ = std::min(lowest_, value);
  highest_ = std::max(highest_, value);
  history_.Push(value);
  if (level_.count() >= kFirstDeviation) {
    At(observation, EvidenceKind::kDeviation) =
        Evidence{Ratio(value - level_.mean(), level_.Deviation()), value, level_.mean()};
  }
  At(observation, EvidenceKind::kLevelShift) = CompareMeans(kShortRecent, kShortBefore, kShortNeeded);
  At(observation, EvidenceKind::kSlowLevelShift) = CompareMeans(kLongRecent, kLongBefore, kLongNeeded);
  At(observation, EvidenceKind::kSpread) = CompareSpreads(kShortRecent, kShortBefore, kShortNeeded);
  ObserveSeason(value, when, observation);
  ObserveSymbols(value, observation);
  ObserveRepetition(value, observation);
  const double reach = kPatternReach * level_.Deviation();
  const bool settled = level_.count() >= kSettledLevel;
  bounded_history_.Push(settled ? std::clamp(value, level_.mean() - reach, level_.mean() + reach) : value);
  observation.novelty = novelty_.Observe(bounded_history_, DayShare(when));
  level_.Learn(value);
  return observation;
}

std::optional<Evidence> EvidenceCollector::CompareMeans(std::size_t recent, std::size_t before,
                                                        std::size_t needed) const {
  if (history_.size() < needed) return std::nullopt;
  const double now = history_.Mean(0, recent);
  const double past = history_.Mean(recent, before);
  return Evidence{Ratio(now - past, level_.Deviation()), now, past};
}

std::optional<Evidence> EvidenceCollector::CompareSpreads(std::size_t recent, std::size_t before,
                                                          std::size_t needed) const {
  if (history_.size() < needed) return std::nullopt;
  const double now = history_.MeanDeviation(0, recent);
  const double past = history_.MeanDeviation(recent, before);
  // Below this spread, rounding would decide.
  const double least = kLeastSpread * level_.Deviation();
  const double change = std::log(std::max(now, least)) - std::log(std::max(past, least));
  return Evidence{std::abs(change), now, past};
}

void EvidenceCollector::ObserveSeason(double value, std::optional<std::chrono::sys_seconds> when,
                                      Observation& observation) {
  const auto normalized = [this](double x) { return (x - level_.mean()) / level_.Deviation(); };
  LinearForecaster::Season season;
  std::optional<SeasonalView> view;
  if (when) view = season_.Observe(value, *when);
  if (view) {
    season.expected = normalized(view->expected);
    season.residual = view->residual / level_.Deviation();
  }
  const auto forecast = forecaster_.Observe(normalized(value), season);
  if (forecast) {
    observation.expected = level_.mean() + *forecast * level_.Deviation();
    const double drift = forecaster_.Drift();
    At(observation, EvidenceKind::kForecastDrift) = Evidence{std::abs(drift), drift, 0.0};
  }
  if (!view) return;

  observation.expected = view->expected;
  observation.seasonal = view->expected;
  At(observation, EvidenceKind::kSeason) = Evidence{Ratio(view->residual, view->deviation), value, view->expected};
  if (const auto mean = season_.MeanResidual(kSeasonShort)) {
    At(observation, EvidenceKind::kSeasonShort) = Evidence{std::abs(*mean), *mean, 0.0};
  }
  if (const auto mean = season_.MeanResidual(kSeasonLong)) {
    At(observation, EvidenceKind::kSeasonLong) = Evidence{std::abs(*mean), *mean, 0.0};
  }
}

void EvidenceCollector::ObserveSymbols(double value, Observation& observation) {
  const std::size_t symbol = coder_.Code(value);
  context_surprise_ += kContextRate * (contexts_.Observe(symbol) - context_surprise_);
  At(observation, EvidenceKind::kContext) = Evidence{context_surprise_, context_surprise_, 0.0};
  if (const auto divergence = divergence_.Observe(symbol)) {
    At(observation, EvidenceKind::kDistribution) = Evidence{*divergence, *divergence, 0.0};
  }
}

void EvidenceCollector::ObserveRepetition(double value, Observation& observation) {
  const bool repeats = history_.size() > 1 && history_.At(1) == value;
  const RunView run = runs_.Observe(repeats);
  At(observation, EvidenceKind::kFlatLine) = Evidence{run.beyond_longest, run.length, run.longest_before, run.surprise};
}

std::string DescribeEvidence(const Observation& observation, EvidenceKind kind) {
  const Evidence& evidence = *observation.evidence[std::to_underlying(kind)];
  const auto& [statistic, observed, reference, surprise] = evidence;
  const char* side = observed >= reference ? "above" : "below";
  switch (kind) {
    case EvidenceKind::kDeviation:
      if (statistic > kBeyondMeasure) {
        return fmt::format("value {:.6g} is far {} the usual level {:.6g}", observed, side, reference);
      }
      return fmt::format("value {:.6g} is {:.1f} deviations {} the usual level {:.6g}", observed, statistic, side,
                         reference);
    case EvidenceKind::kSeason:
      if (statistic > kBeyondMeasure) {
        return fmt::format(
            "value {:.6g} is far {} the expected {:.6g} for this time of day "
            "and week",
            observed, side, reference);
      }
      return fmt::format(
          "value {:.6g} is {:.1f} deviations {} the expected {:.6g} for this time "
          "of day and week",
          observed, statistic, side, reference);
    case EvidenceKind::kSeasonShort:
      return fmt::format(
          "the last {} values are on average {:.1f} deviations {} the expected for "
          "their times of day",
          kSeasonShort, statistic, side);
    case EvidenceKind::kSeasonLong:
      return fmt::format(
          "the last {} values are on average {:.1f} deviations {} the expected for "
          "their times of day",
          kSeasonLong, statistic, side);
    case EvidenceKind::kLevelShift:
      return fmt::format("level shift: the last {} values average {:.6g}, the values before {:.6g}", kShortRecent,
                         observed, reference);
    case EvidenceKind::kSlowLevelShift:
      return fmt::format("level shift: the last {} values average {:.6g}, the values before {:.6g}", kLongRecent,
                         observed, reference);
    case EvidenceKind::kForecastDrift:
      return fmt::format(
          "drift: recent values are on average {:.1f} usual errors {} their "
          "forecasts",
          statistic, side);
    case EvidenceKind::kContext:
      return fmt::format(
          "unusual pattern: recent values follow each other in a rare order "
          "({:.1f} bits of surprise per value)",
          statistic);
    case EvidenceKind::kDistribution:
      return fmt::format(
          "unusual pattern: the distribution of the last {} values differs from the "
          "past (relative entropy {:.2f} nats)",
          SymbolDivergence::kWindow, statistic);
    case EvidenceKind::kSpread:
      if (observed == 0.0) {
        return fmt::format("flat line: the last {} values are all {:.6g}", kShortRecent, observation.value);
      }
      return fmt::format(
          "changed spread: the last {} values deviate by {:.6g} from their mean, "
          "the values before by {:.6g}",
          kShortRecent, observed, reference);
    case EvidenceKind::kFlatLine:
      return fmt::format(
          "flat line: value {:.6g} has repeated {:.0f} times (longest before: "
          "{:.0f})",
          observation.value, observed, reference);
  }
  return {};
}

std::string DescribeOutlier(double value, const OutlierView& outlier) {
  return fmt::format("value {:.6g} is {:.6g} {} the forecast {:.6g}; errors up to {:.6g} are usual here", value,
                     std::abs(value - outlier.expected), value >= outlier.expected ? "above" : "below",
                     outlier.expected, outlier.limit);
}

std::string DescribeNovelty(const Observation& observation) {
  const double value = observation.value;
  if (value > observation.highest_before) {
    return fmt::format("value {:.6g} is the highest so far (before: {:.6g}, expected {:.6g})", value,
                       observation.highest_before, observation.expected);
  }
  if (value < observation.lowest_before) {
    return fmt::format("value {:.6g} is the lowest so far (before: {:.6g}, expected {:.6g})", value,
                       observation.lowest_before, observation.expected);
  }
  if (observation.novelty.new_level) {
    return fmt::format("value {:.6g} lies in a range not visited before (expected {:.6g})", value,
                       observation.expected);
  }
  return fmt::format(
      "unusual pattern: value {:.6g} together with the values before it has hardly "
      "ever occurred (expected {:.6g})",
      value, observation.expected);
}

}  // namespace seedcore::ml
