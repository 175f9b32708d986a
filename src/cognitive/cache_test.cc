#include "cognitive/cache.h"

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::cognitive {
namespace {

using std::chrono::seconds;

std::shared_ptr<const ReasoningOutput> Output(const std::string& thought) {
  FailureAnalysis analysis;
  analysis.thought = thought;
  return std::make_shared<const ReasoningOutput>(std::move(analysis));
}

TEST(ResultCache, GivesBackWhatWasPut) {
  SimEnv env;
  ResultCache cache(2, env);
  EXPECT_EQ(cache.Find("a"), nullptr);
  cache.Put(TaskType::kFailureAnalysis, "a", Output("x"));
  ASSERT_NE(cache.Find("a"), nullptr);
  EXPECT_EQ(std::get<FailureAnalysis>(*cache.Find("a")).thought, "x");
  EXPECT_EQ(cache.stats().hits, 2);
  EXPECT_EQ(cache.stats().misses, 1);
}

TEST(ResultCache, ForgetsAfterTheTimeOfTheKind) {
  SimEnv env;
  ResultCache cache(4, env);
  cache.Put(TaskType::kFailureAnalysis, "a", Output("x"));
  cache.Put(TaskType::kMemorySynthesis, "b", Output("x"));
  env.Advance(seconds{299});
  EXPECT_NE(cache.Find("a"), nullptr);
  env.Advance(seconds{1});
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_NE(cache.Find("b"), nullptr);
  EXPECT_EQ(cache.stats().entries, 1);
}

TEST(ResultCache, DropsTheLongestUnusedWhenFull) {
  SimEnv env;
  ResultCache cache(2, env);
  cache.Put(TaskType::kTaskPlanning, "a", Output("a"));
  cache.Put(TaskType::kTaskPlanning, "b", Output("b"));
  EXPECT_NE(cache.Find("a"), nullptr);
  cache.Put(TaskType::kTaskPlanning, "c", Output("c"));
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_NE(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.stats().entries, 2);
}

TEST(ResultCache, KeepsNothingWithoutCapacity) {
  SimEnv env;
  ResultCache cache(0, env);
  cache.Put(TaskType::kTaskPlanning, "a", Output("a"));
  EXPECT_EQ(cache.Find("a"), nullptr);
}

}  // namespace
}  // namespace seedcore::cognitive
