#include "ml/nab.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace seedcore::ml {
namespace {

namespace fs = std::filesystem;

/// Parses all of `text` as a number.
template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Parses "YYYY-MM-DD hh:mm:ss" as UTC; a fraction of a second is ignored.
std::optional<std::chrono::sys_seconds> ParseTimestamp(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00 00:00:00";
  if (text.size() < kShape.size()) return std::nullopt;
  for (const std::size_t at : {4U, 7U, 10U, 13U, 16U}) {
    if (text[at] != kShape[at]) return std::nullopt;
  }
  const auto year = ParseNumber<int>(text.substr(0, 4));
  const auto month = ParseNumber<unsigned>(text.substr(5, 2));
  const auto day = ParseNumber<unsigned>(text.substr(8, 2));
  const auto hour = ParseNumber<unsigned>(text.substr(11, 2));
  const auto minute = ParseNumber<unsigned>(text.substr(14, 2));
  const auto second = ParseNumber<unsigned>(text.substr(17, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

/// The CSV files below `root`, as sorted relative paths.
std::expected<std::vector<fs::path>, std::string> ListSeries(const fs::path& root) {
  std::error_code error;
  std::vector<fs::path> series;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".csv") series.push_back(it->path().lexically_relative(root));
  }
  if (error) return std::unexpected(fmt::format("{}: {}", root.string(), error.message()));
  std::ranges::sort(series);
  return series;
}

std::expected<void, std::string> ScoreSeries(const fs::path& source, const fs::path& target,
                                             const AnomalySettings& settings, NabSummary& summary) {
  std::ifstream input(source);
  if (!input) return std::unexpected(fmt::format("{}: cannot be read", source.string()));
  std::ofstream output(target);
  output << "timestamp,value,anomaly_score\n";
  AnomalyDetector detector(settings);
  std::string line;
  std::getline(input, line);
  for (std::size_t number = 2; std::getline(input, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const std::size_t comma = line.find(',');
    const std::string_view row(line);
    const auto when = ParseTimestamp(row.substr(0, comma));
    const auto value = comma == std::string::npos ? std::nullopt : ParseNumber<double>(row.substr(comma + 1));
    if (!when || !value) {
      return std::unexpected(fmt::format("{}:{}: malformed row", source.string(), number));
    }
    const auto verdict = detector.Observe(*value, when);
    if (!verdict) {
      return std::unexpected(fmt::format("{}:{}: {}", source.string(), number, verdict.error()));
    }
    output << line << ',' << fmt::format("{:.6f}", verdict->score) << '\n';
    ++summary.points;
    if (verdict->score >= settings.threshold) ++summary.alarms;
  }
  if (!output.flush()) {
    return std::unexpected(fmt::format("{}: cannot be written", target.string()));
  }
  ++summary.files;
  return {};
}

}  // namespace

std::expected<NabSummary, std::string> WriteNabScores(const fs::path& data_dir, const fs::path& out_dir,
                                                      AnomalySettings settings) {
  const auto series = ListSeries(data_dir);
  if (!series) return std::unexpected(series.error());
  NabSummary summary;
  for (const fs::path& path : *series) {
    const fs::path target = out_dir / path;
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error) {
      return std::unexpected(fmt::format("{}: {}", target.parent_path().string(), error.message()));
    }
    if (auto scored = ScoreSeries(data_dir / path, target, settings, summary); !scored) {
      return std::unexpected(std::move(scored.error()));
    }
  }
  return summary;
}

}  // namespace seedcore::ml
