#include "service/ml_anomaly.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

namespace seedcore::service {
namespace {

// The years 1 to 9999.
constexpr double kEarliestSecond = -62'135'596'800.0;
constexpr double kLatestSecond = 253'402'300'799.0;
constexpr double kLowestLogLikelihood = -20.0;

Result<std::chrono::sys_seconds> ToSeconds(const json::value& value) {
  if (value.is_string()) {
    SEEDCORE_ASSIGN_OR_RETURN(const WallTime time, ParseRfc3339(std::string_view(value.get_string())));
    return std::chrono::floor<std::chrono::seconds>(time);
  }
  if (!value.is_number()) {
    return Fail(ErrorCode::kInvalidArgument, "expected RFC 3339 text or Unix seconds, got " + DescribeJson(value));
  }
  const double seconds = std::floor(JsonToDouble(value));
  if (!(seconds >= kEarliestSecond && seconds <= kLatestSecond)) {
    return Fail(ErrorCode::kInvalidArgument, "not a time between the years 1 and 9999");
  }
  return std::chrono::sys_seconds{std::chrono::seconds{static_cast<std::int64_t>(seconds)}};
}

Result<std::vector<std::chrono::sys_seconds>> ToTimes(const std::vector<json::value>& values) {
  std::vector<std::chrono::sys_seconds> times;
  times.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto time = ToSeconds(values[i]);
    if (!time) {
      return Fail(ErrorCode::kInvalidArgument, time.error().message, fmt::format("timestamps[{}]", i));
    }
    times.push_back(*time);
  }
  return times;
}

Result<void> CheckSeries(const AnomalyRequest& request, std::size_t max_points) {
  if (request.data.size() > max_points) {
    return Fail(ErrorCode::kPayloadTooLarge, fmt::format("{} points; at most {}", request.data.size(), max_points),
                "data");
  }
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  const auto bad = std::ranges::find_if(request.data, [](double x) { return !std::isfinite(x); });
  if (bad == request.data.end()) return {};
  return Fail(ErrorCode::kInvalidArgument, "not a finite number", fmt::format("data[{}]", bad - request.data.begin()));
}

}  // namespace

Result<void> AnomalyRequest::Validate() const {
  if (data.empty()) return Fail(ErrorCode::kInvalidArgument, "the series is empty", "data");
  if (!timestamps.empty() && timestamps.size() != data.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} timestamps for {} numbers", timestamps.size(), data.size()), "timestamps");
  }
  if (report_from < 0) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be 0 or more, got {}", report_from), "report_from");
  }
  if (threshold && !(*threshold > 0.0 && *threshold <= 1.0)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be above 0 and at most 1, got {}", *threshold),
                "threshold");
  }
  return {};
}

Result<AnomalyResponse> DetectInSeries(const AnomalyRequest& request, const std::function<Result<void>()>& check,
                                       std::size_t max_points) {
  SEEDCORE_RETURN_IF_ERROR(CheckSeries(request, max_points));
  SEEDCORE_ASSIGN_OR_RETURN(const auto times, ToTimes(request.timestamps));
  ml::AnomalySettings settings;
  if (request.threshold) settings.threshold = *request.threshold;
  settings.report = request.report;
  SEEDCORE_ASSIGN_OR_RETURN(auto found, ml::DetectAnomalies(request.data, times, settings, check));

  AnomalyResponse response;
  AnomalySummary& summary = response.summary;
  summary.points = static_cast<std::int64_t>(request.data.size());
  for (ml::AnomalyPoint& point : found) {
    if (point.index < static_cast<std::size_t>(request.report_from)) continue;
    AnomalousPoint anomaly;
    anomaly.index = static_cast<std::int64_t>(point.index);
    anomaly.value = point.value;
    anomaly.score = point.score;
    anomaly.severity = ml::ToString(point.severity);
    anomaly.expected = point.expected;
    anomaly.reason = std::move(point.reason);
    anomaly.drift_score = point.score;
    if (!request.timestamps.empty()) anomaly.timestamp = request.timestamps[point.index];
    summary.max_score = std::max(summary.max_score, point.score);
    ++summary.by_severity[anomaly.severity];
    response.anomalies.push_back(std::move(anomaly));
  }
  summary.count = static_cast<std::int64_t>(response.anomalies.size());
  response.drift_score = summary.max_score;
  response.log_likelihood = std::max(std::log1p(-std::min(summary.max_score, 1.0)), kLowestLogLikelihood);
  const auto points = static_cast<double>(request.data.size());
  response.confidence = std::max(0.0, points - static_cast<double>(settings.warm_up)) / points;
  return response;
}

}  // namespace seedcore::service
