#include "ml/nab.h"

#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

namespace fs = std::filesystem;

class NabTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("nab_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_ / "data" / "group");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) const { std::ofstream(root_ / "data" / name) << text; }
  [[nodiscard]] std::string Read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(root_ / "out" / name).rdbuf();
    return text.str();
  }
  [[nodiscard]] std::expected<NabSummary, std::string> Run() const {
    return WriteNabScores(root_ / "data", root_ / "out");
  }

  fs::path root_;
};

TEST_F(NabTest, WritesOneScoredRowPerInputRow) {
  Write("group/a.csv", "timestamp,value\n2014-04-01 00:00:00,20.5\r\n2014-04-01 00:05:00.000000,-1e3\n");
  Write("b.csv", "timestamp,value\n2014-04-01 00:00:00,1\n");
  Write("notes.txt", "not a series");
  const auto summary = Run();
  ASSERT_TRUE(summary.has_value()) << summary.error();
  EXPECT_EQ(summary->files, 2U);
  EXPECT_EQ(summary->points, 3U);
  EXPECT_EQ(summary->alarms, 0U);
  EXPECT_EQ(Read("group/a.csv"),
            "timestamp,value,anomaly_score\n2014-04-01 00:00:00,20.5,0.000000\n"
            "2014-04-01 00:05:00.000000,-1e3,0.000000\n");
  EXPECT_FALSE(fs::exists(root_ / "out" / "notes.txt"));
}

TEST_F(NabTest, NamesTheMalformedRow) {
  for (const char* row : {"2014-13-01 00:00:00,1", "2014-04-01 00:00:00,x", "2014-04-01 00:00:00", "2014-04-01,1",
                          "2014-04-01 00:00:00,nan"}) {
    Write("a.csv", std::string("timestamp,value\n2014-04-01 00:00:00,1\n") + row + "\n");
    const auto summary = Run();
    ASSERT_FALSE(summary.has_value()) << row;
    EXPECT_NE(summary.error().find("a.csv:3"), std::string::npos) << summary.error();
  }
}

TEST_F(NabTest, MissingDirectoryIsAnError) {
  EXPECT_FALSE(WriteNabScores(root_ / "absent", root_ / "out").has_value());
}

}  // namespace
}  // namespace seedcore::ml
