#include "cognitive/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "base/testing.h"
#include "cognitive/rules/rules.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::cognitive {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// Answers as told, and takes as long as told.
class ScriptedProvider final : public Provider {
 public:
  explicit ScriptedProvider(SimEnv& env) : env_(env) {}
  [[nodiscard]] std::string_view name() const override { return "scripted"; }
  [[nodiscard]] std::string_view model() const override { return "1"; }
  [[nodiscard]] Result<ReasoningOutput> Reason(const ReasoningInput&, const CallContext& call) override {
    ++calls;
    seen_deadline = call.deadline;
    env_.Advance(takes);
    return output;
  }
  [[nodiscard]] Result<void> CheckHealth() override { return {}; }

  Result<ReasoningOutput> output = FailureAnalysis{};
  milliseconds takes{0};
  int calls = 0;
  Instant seen_deadline;

 private:
  SimEnv& env_;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    auto store = store::sqlite::OpenSqliteStore({.path = folder_.File("s.db")}, env_, metrics_);
    EXPECT_TRUE(store) << ToString(store.error());
    store_ = std::move(*store);
  }

  std::unique_ptr<Engine> MakeEngine(Provider& fast, Provider& deep) {
    return std::make_unique<Engine>(Engine::Parts{store_->facts(), store_->incidents(), fast, deep, metrics_, env_},
                                    settings_);
  }

  std::string AddFact(const std::string& text, json::object meta = {}) {
    const auto fact = store_->facts().Add({.text = text, .tags = {}, .meta_data = std::move(meta)});
    EXPECT_TRUE(fact) << ToString(fact.error());
    return fact->id;
  }

  static ReasoningRequest Incident(const std::string& note) {
    ReasoningRequest request;
    request.agent_id = "a";
    request.incident_context = {{"note", note}};
    return request;
  }

  SimEnv env_;
  Metrics metrics_;
  settings::CognitiveSettings settings_;
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  rules::RulesProvider rules_{env_};
  CallContext call_;
};

TEST_F(EngineTest, AnswersFromRetrievedFactsAndIncidents) {
  const std::string marathon = AddFact("Taxi demand falls during the marathon");
  AddFact("Bread is baked at night");
  ASSERT_TRUE(
      store_->incidents().Add({0.9, {{"description", "taxi demand fell"}, {"resolution", "ignored as expected"}}}));
  const auto answer =
      MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, Incident("taxi demand fell"), call_);
  ASSERT_TRUE(answer) << ToString(answer.error());
  EXPECT_THAT(answer->metadata.facts_used, ElementsAre(marathon));
  EXPECT_THAT(answer->metadata.incidents_used, SizeIs(1));
  EXPECT_EQ(answer->metadata.provider, "rules");
  EXPECT_GT(std::get<FailureAnalysis>(*answer->output).confidence_score, 0.0);
}

TEST_F(EngineTest, SufficiencyAndHintAreAlwaysThere) {
  const auto empty = MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_);
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->metadata.escalate_hint);
  EXPECT_EQ(empty->metadata.sufficiency.token_budget, 1800);
  AddFact("taxi demand is seasonal", {{"trust", 0.9}});
  const auto known = MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_);
  EXPECT_FALSE(known->metadata.escalate_hint);
  EXPECT_DOUBLE_EQ(known->metadata.sufficiency.trust_score, 0.9);
  EXPECT_GT(known->metadata.sufficiency.token_est, 0);
}

TEST_F(EngineTest, FactsGoStaleAfterTheirTime) {
  AddFact("taxi strike today", {{"valid_for_s", 60}});
  const auto fresh = MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_);
  EXPECT_EQ(fresh->metadata.sufficiency.staleness_ratio, 0.0);
  env_.Advance(seconds{61});
  const auto stale = MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_);
  EXPECT_EQ(stale->metadata.sufficiency.staleness_ratio, 1.0);
}

TEST_F(EngineTest, FactsOfTheCallerCountToo) {
  ReasoningRequest request = Incident("taxi demand fell");
  request.knowledge_context = {
      {"facts",
       json::array{"plain text about taxi", json::object{{"id", "x"}, {"text", "taxi holiday"}, {"trust", 0.9}}}}};
  const auto answer = MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, request, call_);
  ASSERT_TRUE(answer) << ToString(answer.error());
  EXPECT_THAT(answer->metadata.facts_used, ::testing::UnorderedElementsAre("given-0", "x"));
  request.knowledge_context = {{"facts", json::array{"ok", 3}}};
  const auto bad = MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, request, call_);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().path, "knowledge_context.facts[1]");
}

TEST_F(EngineTest, SameQuestionWithSameEvidenceComesFromTheCache) {
  ScriptedProvider provider(env_);
  const auto engine = MakeEngine(provider, provider);
  EXPECT_FALSE(engine->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_)->metadata.cache_hit);
  ReasoningRequest again = Incident("taxi");
  again.task_id = "another";
  EXPECT_TRUE(engine->Reason(TaskType::kFailureAnalysis, again, call_)->metadata.cache_hit);
  EXPECT_EQ(provider.calls, 1);
  EXPECT_EQ(engine->cache_stats().hits, 1);
}

TEST_F(EngineTest, NewFactIsSeenAtOnce) {
  const auto engine = MakeEngine(rules_, rules_);
  EXPECT_THAT(engine->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_)->metadata.facts_used, IsEmpty());
  const std::string id = AddFact("taxi holiday");
  const auto answer = engine->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_);
  EXPECT_FALSE(answer->metadata.cache_hit);
  EXPECT_THAT(std::get<FailureAnalysis>(*answer->output).solution_evidence, ElementsAre("fact:" + id));
}

TEST_F(EngineTest, ChangedFactIsSeenAtOnce) {
  const auto engine = MakeEngine(rules_, rules_);
  const std::string id = AddFact("taxi holiday");
  ASSERT_TRUE(engine->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_));
  ASSERT_TRUE(store_->facts().Update(id, "taxi trouble", std::nullopt, std::nullopt));
  EXPECT_FALSE(engine->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_)->metadata.cache_hit);
}

TEST_F(EngineTest, OtherInputsOrProfilesDoNotShareAnAnswer) {
  ScriptedProvider provider(env_);
  const auto engine = MakeEngine(provider, provider);
  ASSERT_TRUE(engine->Reason(TaskType::kFailureAnalysis, Incident("a"), call_));
  ASSERT_TRUE(engine->Reason(TaskType::kFailureAnalysis, Incident("b"), call_));
  ReasoningRequest deep = Incident("a");
  deep.profile = Profile::kDeep;
  ASSERT_TRUE(engine->Reason(TaskType::kFailureAnalysis, deep, call_));
  EXPECT_EQ(provider.calls, 3);
}

TEST_F(EngineTest, ProfileChoosesProviderAndTime) {
  ScriptedProvider fast(env_);
  ScriptedProvider deep(env_);
  const auto engine = MakeEngine(fast, deep);
  ASSERT_TRUE(engine->Reason(TaskType::kFailureAnalysis, Incident("x"), call_));
  EXPECT_EQ(fast.seen_deadline, env_.Now() + seconds{5});
  ReasoningRequest request = Incident("x");
  request.profile = Profile::kDeep;
  ASSERT_TRUE(engine->Reason(TaskType::kFailureAnalysis, request, call_));
  EXPECT_EQ(deep.seen_deadline, env_.Now() + seconds{20});
}

TEST_F(EngineTest, CallersDeadlineWinsWhenItIsEarlier) {
  ScriptedProvider provider(env_);
  call_.deadline = env_.Now() + seconds{1};
  ASSERT_TRUE(MakeEngine(provider, provider)->Reason(TaskType::kFailureAnalysis, Incident("x"), call_));
  EXPECT_EQ(provider.seen_deadline, call_.deadline);
}

TEST_F(EngineTest, AnswerAfterTheDeadlineIsNoAnswer) {
  ScriptedProvider provider(env_);
  provider.takes = milliseconds{5001};
  const auto engine = MakeEngine(provider, provider);
  const auto late = engine->Reason(TaskType::kFailureAnalysis, Incident("x"), call_);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(engine->cache_stats().entries, 0);
}

TEST_F(EngineTest, FailureOfTheProviderIsAFailure) {
  ScriptedProvider provider(env_);
  provider.output = Fail(ErrorCode::kUnavailable, "model is gone");
  const auto engine = MakeEngine(provider, provider);
  EXPECT_EQ(engine->Reason(TaskType::kFailureAnalysis, Incident("x"), call_).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(engine->cache_stats().entries, 0);
}

TEST_F(EngineTest, AnswerThatFailsItsChecksIsNotGivenOutOrKept) {
  ScriptedProvider provider(env_);
  FailureAnalysis analysis;
  analysis.confidence_score = 7;
  provider.output = analysis;
  const auto engine = MakeEngine(provider, provider);
  EXPECT_EQ(engine->Reason(TaskType::kFailureAnalysis, Incident("x"), call_).error().code, ErrorCode::kInternal);
  EXPECT_EQ(engine->cache_stats().entries, 0);
}

TEST_F(EngineTest, PersonalDataIsReportedAlsoFromTheCache) {
  ScriptedProvider provider(env_);
  FailureAnalysis analysis;
  analysis.thought = "the password leaked";
  provider.output = analysis;
  const auto engine = MakeEngine(provider, provider);
  EXPECT_THAT(engine->Reason(TaskType::kFailureAnalysis, Incident("x"), call_)->metadata.violations, SizeIs(1));
  EXPECT_THAT(engine->Reason(TaskType::kFailureAnalysis, Incident("x"), call_)->metadata.violations, SizeIs(1));
}

TEST_F(EngineTest, StoppedCallIsNotAnswered) {
  std::stop_source source;
  call_.stop = source.get_token();
  source.request_stop();
  EXPECT_EQ(MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, Incident("x"), call_).error().code,
            ErrorCode::kCancelled);
}

TEST_F(EngineTest, HealthAsksEveryPart) {
  const auto engine = MakeEngine(rules_, rules_);
  const auto parts = engine->CheckHealth();
  EXPECT_THAT(parts, SizeIs(4));
  for (const auto& part : parts) EXPECT_TRUE(part.state) << part.name;
}

TEST_F(EngineTest, RetrievalLimitZeroLooksUpNothing) {
  AddFact("taxi holiday");
  settings_.retrieval_limit = 0;
  const auto answer = MakeEngine(rules_, rules_)->Reason(TaskType::kFailureAnalysis, Incident("taxi"), call_);
  EXPECT_THAT(answer->metadata.facts_used, IsEmpty());
}

}  // namespace
}  // namespace seedcore::cognitive
