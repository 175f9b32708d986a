#include "ml/drift.h"

#include <functional>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

using Random = std::mt19937;
using TaskMaker = std::function<json::object(Random&, int)>;

std::string_view Pick(Random& random, std::initializer_list<std::string_view> words) {
  return words.begin()[random() % words.size()];
}

/// Questions about one subject, in many wordings, with runtime features that vary.
json::object TaxiTask(Random& random, int index) {
  std::normal_distribution<double> normal;
  const std::string text = fmt::format("{} the taxi demand {} of window {} {} {}",
                                       Pick(random, {"analyze", "summarize", "check", "explain", "review"}),
                                       Pick(random, {"series", "figures", "curve", "totals"}), index,
                                       Pick(random, {"in Manhattan", "near the airport", "in Brooklyn", "downtown"}),
                                       Pick(random, {"on a weekday", "on Sunday", "at night", "during rush hour"}));
  return {{"type", "anomaly_triage"},
          {"description", text},
          {"priority", 4 + static_cast<int>(random() % 3)},
          {"complexity", std::clamp(0.5 + 0.08 * normal(random), 0.0, 1.0)},
          {"latency_ms", 150.0 * std::exp(0.4 * normal(random))},
          {"memory_usage", std::clamp(0.4 + 0.05 * normal(random), 0.0, 1.0)},
          {"cpu_usage", std::clamp(0.3 + 0.1 * normal(random), 0.0, 1.0)}};
}

json::object InvoiceTask(Random& random, int index) {
  json::object task = TaxiTask(random, index);
  task["description"] =
      fmt::format("{} invoice {} from the {} supplier and book it", Pick(random, {"pay", "scan", "approve", "archive"}),
                  index, Pick(random, {"steel", "paper", "software", "catering"}));
  return task;
}

/// Feeds `count` tasks and returns their verdicts.
std::vector<DriftVerdict> Feed(DriftBaseline& baseline, Random& random, int count, const TaskMaker& make) {
  std::vector<DriftVerdict> verdicts;
  for (int i = 0; i < count; ++i) {
    const auto observation = ObserveTask(make(random, i), "");
    EXPECT_TRUE(observation);
    verdicts.push_back(baseline.Observe(fmt::format("task-{}", random()), *observation));
  }
  return verdicts;
}

double MeanScore(const std::vector<DriftVerdict>& verdicts) {
  double sum = 0.0;
  for (const DriftVerdict& verdict : verdicts) sum += verdict.score;
  return sum / static_cast<double>(verdicts.size());
}

TEST(DriftTest, AStationaryStreamScoresLow) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    DriftBaseline baseline;
    EXPECT_LT(MeanScore(Feed(baseline, random, 500, TaxiTask)), 0.05) << "seed " << seed;
  }
}

TEST(DriftTest, AStationaryStreamDoesNotTripACusumWithTheUsualSlack) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    DriftBaseline baseline;
    double sum = 0.0;
    int escalations = 0;
    for (const DriftVerdict& verdict : Feed(baseline, random, 500, TaxiTask)) {
      sum = std::max(0.0, sum + verdict.score - 0.1);
      if (sum > 0.5) {
        ++escalations;
        sum = 0.0;
      }
    }
    EXPECT_LE(escalations, 5) << "seed " << seed;
  }
}

TEST(DriftTest, ANewSubjectScoresHighFromTheFirstTaskOn) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    DriftBaseline baseline;
    Feed(baseline, random, 200, TaxiTask);
    EXPECT_GT(MeanScore(Feed(baseline, random, 3, InvoiceTask)), 0.7) << "seed " << seed;
  }
}

TEST(DriftTest, AShiftOfARuntimeFeatureScoresHigh) {
  const std::vector<std::pair<std::string, double>> shifts{
      {"latency_ms", 5000.0}, {"cpu_usage", 1.0}, {"memory_usage", 0.9}, {"complexity", 1.0}};
  for (const auto& [feature, value] : shifts) {
    Random random(3);
    DriftBaseline baseline;
    Feed(baseline, random, 200, TaxiTask);
    const auto shifted = [&](Random& r, int i) {
      json::object task = TaxiTask(r, i);
      task[feature] = value;
      return task;
    };
    EXPECT_GT(MeanScore(Feed(baseline, random, 3, shifted)), 0.7) << feature;
  }
}

TEST(DriftTest, AShortBurstIsNotLearnedAsUsual) {
  Random random(4);
  DriftBaseline baseline;
  Feed(baseline, random, 200, TaxiTask);
  Feed(baseline, random, 10, InvoiceTask);
  EXPECT_GT(MeanScore(Feed(baseline, random, 3, InvoiceTask)), 0.6);
  EXPECT_LT(MeanScore(Feed(baseline, random, 50, TaxiTask)), 0.05);
}

TEST(DriftTest, ALastingChangeBecomesTheNewUsual) {
  Random random(5);
  DriftBaseline baseline;
  Feed(baseline, random, 200, TaxiTask);
  Feed(baseline, random, 600, InvoiceTask);
  EXPECT_LT(MeanScore(Feed(baseline, random, 50, InvoiceTask)), 0.1);
}

TEST(DriftTest, AColdBaselineScoresZeroAndSaysSo) {
  Random random(6);
  DriftBaseline baseline;
  const auto verdicts = Feed(baseline, random, 17, TaxiTask);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(verdicts[static_cast<std::size_t>(i)].score, 0.0);
    EXPECT_FALSE(verdicts[static_cast<std::size_t>(i)].warmed_up);
    EXPECT_EQ(verdicts[static_cast<std::size_t>(i)].observations, i);
  }
  EXPECT_TRUE(verdicts[16].warmed_up);
  EXPECT_DOUBLE_EQ(verdicts[16].confidence, 0.5);
}

TEST(DriftTest, TheSameTaskTwiceHasOneVerdictAndIsLearnedOnce) {
  Random random(7);
  DriftBaseline baseline;
  Feed(baseline, random, 100, TaxiTask);
  const auto observation = ObserveTask(InvoiceTask(random, 1), "").value();
  const DriftVerdict first = baseline.Observe("retried", observation);
  const std::string after_first = WriteJson(baseline.ToJson());
  const DriftVerdict second = baseline.Observe("retried", observation);
  EXPECT_EQ(first.score, second.score);
  EXPECT_EQ(first.observations, second.observations);
  EXPECT_EQ(WriteJson(baseline.ToJson()), after_first);
}

TEST(DriftTest, TheSameInputWithoutAnIdIsToldTheSameAndLearned) {
  Random random(11);
  DriftBaseline baseline;
  Feed(baseline, random, 100, TaxiTask);
  const auto observation = ObserveTask(InvoiceTask(random, 1), "").value();
  const DriftVerdict first = baseline.Observe("", observation);
  EXPECT_GT(first.score, 0.7);
  for (int i = 0; i < 10; ++i) {
    const DriftVerdict again = baseline.Observe("", observation);
    EXPECT_EQ(again.score, first.score);
    EXPECT_EQ(again.observations, first.observations);
  }
  EXPECT_EQ(baseline.text_observations(), 111);
}

TEST(DriftTest, AnInputThatIsRepeatedForLongIsJudgedAnew) {
  Random random(12);
  DriftBaseline baseline;
  Feed(baseline, random, 100, TaxiTask);
  const auto observation = ObserveTask(InvoiceTask(random, 1), "").value();
  const double first = baseline.Observe("", observation).score;
  double last = first;
  for (int i = 0; i < 600; ++i) last = baseline.Observe("", observation).score;
  EXPECT_GT(first, 0.7);
  EXPECT_LT(last, 0.1);
}

TEST(DriftTest, AMeasurementThatBeginsLaterIsNoDrift) {
  Random random(13);
  DriftBaseline baseline;
  const auto without_cpu = [](Random& r, int i) {
    json::object task = TaxiTask(r, i);
    task.erase("cpu_usage");
    return task;
  };
  Feed(baseline, random, 100, without_cpu);
  const auto busy = [](Random& r, int i) {
    json::object task = TaxiTask(r, i);
    task["cpu_usage"] = 0.95;
    return task;
  };
  EXPECT_LT(MeanScore(Feed(baseline, random, 40, busy)), 0.05);
}

TEST(DriftTest, ScoringAloneChangesNothingAndIsRepeatable) {
  Random random(8);
  DriftBaseline baseline;
  Feed(baseline, random, 100, TaxiTask);
  const auto observation = ObserveTask(InvoiceTask(random, 1), "").value();
  const std::string before = WriteJson(baseline.ToJson());
  EXPECT_EQ(baseline.Score(observation).score, baseline.Score(observation).score);
  EXPECT_EQ(WriteJson(baseline.ToJson()), before);
}

TEST(DriftTest, AStoredBaselineGoesOnExactlyWhereItStopped) {
  Random random(9);
  DriftBaseline baseline;
  Feed(baseline, random, 300, TaxiTask);
  const json::value stored = ParseJson(WriteJson(baseline.ToJson())).value();
  DriftBaseline restored = DriftBaseline::FromJson(stored, {}).value();
  EXPECT_EQ(restored.ToJson(), baseline.ToJson());
  const auto observation = ObserveTask(InvoiceTask(random, 1), "").value();
  EXPECT_EQ(restored.Observe("x", observation).score, baseline.Observe("x", observation).score);
}

TEST(DriftTest, MemoryOfABaselineIsBounded) {
  Random random(10);
  DriftBaseline baseline;
  Feed(baseline, random, 500, TaxiTask);
  EXPECT_LT(WriteJson(baseline.ToJson()).size(), 16U * 1024U);
}

TEST(DriftTest, ADamagedBaselineIsCorrupt) {
  json::value stored = DriftBaseline().ToJson();
  stored.as_object()["runtime"] = json::array{};
  EXPECT_EQ(DriftBaseline::FromJson(stored, {}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(DriftBaseline::FromJson(json::value(3), {}).error().code, ErrorCode::kCorrupt);
}

TEST(ObserveTaskTest, AbsentSettingsHaveTheirDefaultsAndAbsentMeasurementsAreAbsent) {
  const auto observation = ObserveTask({{"type", "execute"}}, "").value();
  EXPECT_EQ(*observation.runtime, (RuntimeVector{0.5, 0.5, {}, {}, {}, 0, 0, 1, 0, 0, 0}));
}

TEST(ObserveTaskTest, EveryOtherTypeIsUnknownAndHistoryCountsUpToTen) {
  const json::array history(25, "id");
  const auto observation = ObserveTask({{"type", "bake"}, {"history_ids", history}, {"latency_ms", 250}}, "").value();
  EXPECT_EQ((*observation.runtime)[9], 1.0);
  EXPECT_EQ((*observation.runtime)[10], 1.0);
  EXPECT_EQ((*observation.runtime)[2], 0.25);
}

TEST(ObserveTaskTest, TextWinsOverDescriptionAndDescriptionOverType) {
  const json::object task{{"type", "execute"}, {"description", "bake bread"}};
  EXPECT_EQ(ObserveTask(task, "fly south").value().text, FeaturizeText("fly south"));
  EXPECT_EQ(ObserveTask(task, "").value().text, FeaturizeText("bake bread"));
  EXPECT_EQ(ObserveTask({{"type", "execute"}}, "").value().text, FeaturizeText("execute"));
  EXPECT_FALSE(ObserveTask({{"priority", 3}}, "...").value().text);
}

TEST(ObserveTaskTest, WrongTypesAndRangesNameTheMember) {
  EXPECT_EQ(ObserveTask({{"priority", "high"}}, "").error().path, "priority");
  EXPECT_EQ(ObserveTask({{"cpu_usage", 85}}, "").error().path, "cpu_usage");
  EXPECT_EQ(ObserveTask({{"latency_ms", -1}}, "").error().path, "latency_ms");
  EXPECT_EQ(ObserveTask({{"history_ids", 3}}, "").error().path, "history_ids");
  EXPECT_EQ(ObserveTask({{"type", 3}}, "").error().path, "type");
}

}  // namespace
}  // namespace seedcore::ml
