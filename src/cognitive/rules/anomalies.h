#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

/// Statistics of a list of anomalies, as ML's /detect/anomaly returns it. Pure.
namespace seedcore::cognitive::rules {

/// Longest list that is looked at.
inline constexpr std::size_t kMaxAnomalies = 10'000;

struct Anomaly {
  std::int64_t index = 0;
  double value = 0.0;
  double score = 0.0;
  double expected = 0.0;
  bool has_index = false;
  bool has_expected = false;
  std::string severity;  ///< lower case; empty when not given
  std::string reason;
};

/// Reads objects with any of index, value, score (or drift_score), severity, expected, reason; other members are
/// allowed. kInvalidArgument names the path below `path`.
[[nodiscard]] Result<std::vector<Anomaly>> ReadAnomalies(const json::value& value, const std::string& path);

/// How the anomalies lie in time.
enum class Shape {
  kNone,       ///< there are none
  kSpike,      ///< one, or a few side by side
  kBurst,      ///< many side by side, in changing directions
  kShift,      ///< at least 5 side by side, 4 of 5 in one direction: the level has changed
  kRecurring,  ///< at least 3 groups at distances that vary by less than 35 %
  kScattered,  ///< several groups without a rhythm
};
[[nodiscard]] std::string_view ToString(Shape shape);

struct AnomalyStatistics {
  std::size_t count = 0;
  std::map<std::string, std::size_t> by_severity;
  double max_score = 0.0;
  std::size_t above = 0;  ///< value above the expected one (without it: above the median of the values)
  std::size_t below = 0;
  std::size_t groups = 0;         ///< runs of anomalies no more than `gap` apart
  std::size_t largest_group = 0;  ///< anomalies in the largest of them
  std::int64_t first_index = 0;   ///< of the largest group
  std::int64_t last_index = 0;
  std::int64_t last_of_all = 0;
  double period = 0.0;  ///< mean distance of groups when recurring
  Shape shape = Shape::kNone;
  std::size_t strongest = 0;  ///< position in the list

  [[nodiscard]] std::size_t Severe() const;  ///< high and critical
};

/// Order does not matter. `gap`: anomalies at most this many points apart belong together.
[[nodiscard]] AnomalyStatistics Measure(std::vector<Anomaly> anomalies, std::int64_t gap = 3);

}  // namespace seedcore::cognitive::rules
