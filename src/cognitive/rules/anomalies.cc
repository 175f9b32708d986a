#include "cognitive/rules/anomalies.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/strings.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr std::size_t kShiftLength = 5;
constexpr double kSameDirection = 0.8;
constexpr double kRegular = 0.35;

Result<bool> ReadNumber(const json::object& object, std::string_view name, const std::string& path, double& out) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return false;
  if (!value->is_number()) {
    return Fail(ErrorCode::kInvalidArgument, "expected a number, got " + DescribeJson(*value),
                path + "." + std::string(name));
  }
  out = JsonToDouble(*value);
  return true;
}

Result<Anomaly> ReadOne(const json::value& value, const std::string& path) {
  if (!value.is_object())
    return Fail(ErrorCode::kInvalidArgument, "expected an object, got " + DescribeJson(value), path);
  const json::object& object = value.get_object();
  Anomaly anomaly;
  double index = 0;
  SEEDCORE_ASSIGN_OR_RETURN(anomaly.has_index, ReadNumber(object, "index", path, index));
  constexpr double kLargestIndex = 9e15;
  if (index < 0 || index > kLargestIndex)
    return Fail(ErrorCode::kInvalidArgument, "expected 0 to 9e15", path + ".index");
  anomaly.index = static_cast<std::int64_t>(index);
  SEEDCORE_RETURN_IF_ERROR(ReadNumber(object, "value", path, anomaly.value));
  SEEDCORE_ASSIGN_OR_RETURN(const bool scored, ReadNumber(object, "score", path, anomaly.score));
  if (!scored) SEEDCORE_RETURN_IF_ERROR(ReadNumber(object, "drift_score", path, anomaly.score));
  SEEDCORE_ASSIGN_OR_RETURN(anomaly.has_expected, ReadNumber(object, "expected", path, anomaly.expected));
  if (const json::value* severity = object.if_contains("severity"); severity != nullptr && severity->is_string()) {
    anomaly.severity = ToLower(severity->get_string());
  }
  if (const json::value* reason = object.if_contains("reason"); reason != nullptr && reason->is_string()) {
    anomaly.reason = Shorten(reason->get_string(), 200);
  }
  return anomaly;
}

double MedianValue(const std::vector<Anomaly>& anomalies) {
  std::vector<double> values;
  for (const Anomaly& anomaly : anomalies) values.push_back(anomaly.value);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// [first, last) positions in the sorted list.
struct Group {
  std::size_t first = 0;
  std::size_t last = 0;
  [[nodiscard]] std::size_t size() const { return last - first; }
};

std::vector<Group> MakeGroups(const std::vector<Anomaly>& anomalies, std::int64_t gap) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < anomalies.size(); ++i) {
    if (i > 0 && anomalies[i].index - anomalies[i - 1].index <= gap) {
      groups.back().last = i + 1;
    } else {
      groups.push_back({i, i + 1});
    }
  }
  return groups;
}

/// The mean distance of the groups' beginnings if they keep a rhythm, else 0.
double Period(const std::vector<Anomaly>& anomalies, const std::vector<Group>& groups) {
  if (groups.size() < 3) return 0.0;
  std::vector<double> distances;
  for (std::size_t i = 1; i < groups.size(); ++i) {
    distances.push_back(static_cast<double>(anomalies[groups[i].first].index - anomalies[groups[i - 1].first].index));
  }
  const auto n = static_cast<double>(distances.size());
  const double mean = std::accumulate(distances.begin(), distances.end(), 0.0) / n;
  double squares = 0.0;
  for (const double distance : distances) squares += (distance - mean) * (distance - mean);
  return std::sqrt(squares / n) < kRegular * mean ? mean : 0.0;
}

}  // namespace

std::string_view ToString(Shape shape) {
  switch (shape) {
    case Shape::kNone: return "none";
    case Shape::kSpike: return "spike";
    case Shape::kBurst: return "burst";
    case Shape::kShift: return "level shift";
    case Shape::kRecurring: return "recurring";
    case Shape::kScattered: return "scattered";
  }
  return "none";
}

Result<std::vector<Anomaly>> ReadAnomalies(const json::value& value, const std::string& path) {
  if (!value.is_array())
    return Fail(ErrorCode::kInvalidArgument, "expected an array, got " + DescribeJson(value), path);
  const json::array& array = value.get_array();
  if (array.size() > kMaxAnomalies) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} anomalies", kMaxAnomalies), path);
  }
  std::vector<Anomaly> anomalies;
  anomalies.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    SEEDCORE_ASSIGN_OR_RETURN(Anomaly anomaly, ReadOne(array[i], fmt::format("{}[{}]", path, i)));
    if (!anomaly.has_index) anomaly.index = static_cast<std::int64_t>(i);
    anomalies.push_back(std::move(anomaly));
  }
  return anomalies;
}

std::size_t AnomalyStatistics::Severe() const {
  std::size_t severe = 0;
  for (const char* name : {"high", "critical"}) {
    if (const auto found = by_severity.find(name); found != by_severity.end()) severe += found->second;
  }
  return severe;
}

AnomalyStatistics Measure(std::vector<Anomaly> anomalies, std::int64_t gap) {
  AnomalyStatistics stats;
  stats.count = anomalies.size();
  if (anomalies.empty()) return stats;

  const double median = MedianValue(anomalies);
  for (std::size_t i = 0; i < anomalies.size(); ++i) {
    Anomaly& anomaly = anomalies[i];
    if (!anomaly.has_expected) anomaly.expected = median;
    if (!anomaly.severity.empty()) ++stats.by_severity[anomaly.severity];
    if (anomaly.score > stats.max_score) {
      stats.max_score = anomaly.score;
      stats.strongest = i;
    }
    if (anomaly.value > anomaly.expected) ++stats.above;
    if (anomaly.value < anomaly.expected) ++stats.below;
  }

  std::ranges::sort(anomalies, {}, [](const Anomaly& anomaly) { return std::pair(anomaly.index, anomaly.value); });
  const std::vector<Group> groups = MakeGroups(anomalies, gap);
  const Group& largest = *std::ranges::max_element(groups, {}, &Group::size);
  stats.groups = groups.size();
  stats.largest_group = largest.size();
  stats.first_index = anomalies[largest.first].index;
  stats.last_index = anomalies[largest.last - 1].index;
  stats.last_of_all = anomalies.back().index;

  std::size_t up = 0;
  std::size_t down = 0;
  for (std::size_t i = largest.first; i < largest.last; ++i) {
    if (anomalies[i].value > anomalies[i].expected) ++up;
    if (anomalies[i].value < anomalies[i].expected) ++down;
  }
  const bool one_way = static_cast<double>(std::max(up, down)) >= kSameDirection * static_cast<double>(largest.size());
  stats.period = Period(anomalies, groups);
  if (largest.size() >= kShiftLength) {
    stats.shape = one_way ? Shape::kShift : Shape::kBurst;
  } else if (stats.period > 0) {
    stats.shape = Shape::kRecurring;
  } else {
    stats.shape = groups.size() == 1 ? Shape::kSpike : Shape::kScattered;
  }
  return stats;
}

}  // namespace seedcore::cognitive::rules
