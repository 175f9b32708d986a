#include "cli/example.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace seedcore::cli {
namespace {

std::vector<Measurement> HalfHours(int days) {
  std::vector<Measurement> series;
  const auto start = *ParseRfc3339("2025-01-01T00:00:00Z");
  for (int i = 0; i < days * 48; ++i) series.push_back({start + std::chrono::minutes(30 * i), static_cast<double>(i)});
  return series;
}

TEST(SeriesCsv, ReadsTheBundledSeries) {
  const std::ifstream in(std::filesystem::path(SEEDCORE_SOURCE_DIR) / "examples/data/nyc_taxi.csv");
  std::ostringstream text;
  text << in.rdbuf();
  const auto series = ParseSeriesCsv(text.str());
  ASSERT_TRUE(series) << ToString(series.error());
  EXPECT_EQ(series->size(), 10'320U);
  EXPECT_EQ(series->front().value, 10'844.0);
}

TEST(SeriesCsv, NamesTheLineThatIsWrong) {
  const auto series = ParseSeriesCsv("timestamp,value\n2025-01-01 00:00:00,1\n2025-01-01 00:30:00,one\n");
  ASSERT_FALSE(series);
  EXPECT_EQ(series.error().path, "line 3");
}

TEST(DayTasks, OneTaskADayOnceThereIsEnoughHistory) {
  const auto tasks = MakeDayTasks({.domain = "d"}, HalfHours(5), 1000, 96);
  ASSERT_EQ(tasks.size(), 3U);
  EXPECT_EQ(tasks.front().day, "2025-01-03");
  EXPECT_EQ(tasks.front().body.at("params").at("report_from"), 96);
  EXPECT_EQ(tasks.front().body.at("params").at("series").as_array().size(), 144U);
}

TEST(DayTasks, HistoryIsBounded) {
  const auto tasks = MakeDayTasks({.domain = "d"}, HalfHours(5), 48, 96);
  EXPECT_EQ(tasks.back().body.at("params").at("series").as_array().size(), 96U);
  EXPECT_EQ(tasks.back().body.at("params").at("report_from"), 48);
}

}  // namespace
}  // namespace seedcore::cli
