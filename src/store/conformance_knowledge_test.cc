#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> Texts(const std::vector<Fact>& facts) {
  std::vector<std::string> texts;
  for (const Fact& fact : facts) texts.push_back(fact.text);
  return texts;
}

TEST_P(StoreConformance, FactIsReadBackAsGiven) {
  const Fact added = Must(store().facts().Add({"water boils at 100 °C", {"physics", "water"}, {{"source", "book"}}}));
  Reopen();
  for (const Fact& fact :
       {added, Must(store().facts().Get(added.id)), Must(store().facts().Get(added.id.substr(0, 8)))}) {
    EXPECT_EQ(fact.id, added.id);
    EXPECT_EQ(fact.text, "water boils at 100 °C");
    EXPECT_THAT(fact.tags, ElementsAre("physics", "water"));
    EXPECT_EQ(fact.meta_data.at("source"), "book");
    EXPECT_EQ(fact.created_at, env_.WallNow());
  }
  EXPECT_EQ(Must(store().facts().Count()), 1);
}

TEST_P(StoreConformance, FactsAreFoundByWordsAndTags) {
  FactStore& facts = store().facts();
  Must(facts.Add({"Water boils at 100 degrees", {"physics"}, {}}));
  Must(facts.Add({"The cat sleeps; the cat eats", {"animals", "home"}, {}}));
  Must(facts.Add({"A cat watched the boiling water of the kettle for a long while", {"home"}, {}}));
  const auto search = [&](const FactQuery& query) { return Texts(Must(facts.Search(query))); };
  EXPECT_THAT(search({.text = "water"}).size(), 2U);
  EXPECT_THAT(search({.text = "WATER degrees"}), ElementsAre("Water boils at 100 degrees"));
  EXPECT_THAT(search({.text = "boil"}).size(), 2U) << "words are compared by their stem";
  EXPECT_EQ(search({.text = "cat"}).front(), "The cat sleeps; the cat eats") << "best match first";
  EXPECT_THAT(search({.text = "dog"}), IsEmpty());
  EXPECT_THAT(search({.tag = "home"}).size(), 2U);
  EXPECT_THAT(search({.text = "water", .tag = "home"}).size(), 1U);
  EXPECT_THAT(search({.tag = "hom"}), IsEmpty());
}

TEST_P(StoreConformance, FactSearchTakesAnyTextLiterally) {
  FactStore& facts = store().facts();
  Must(facts.Add({"plain text", {}, {}}));
  for (const char* text : {"\"", "text AND", "NEAR(", "text*", "col:text", "-text", "'; DROP TABLE facts", "\\", "%"}) {
    EXPECT_TRUE(facts.Search({.text = text})) << text;
  }
  EXPECT_THAT(Must(facts.Search({.text = "(\"text\")"})).size(), 1U);
  EXPECT_THAT(Must(facts.Search({.text = "***"})), IsEmpty());
}

TEST_P(StoreConformance, FactsWithoutWordsAreNewestFirstAndPaged) {
  FactStore& facts = store().facts();
  for (const char* text : {"one", "two", "three"}) Must(facts.Add({text, {"t"}, {}}));
  EXPECT_THAT(Texts(Must(facts.Search({.limit = 2}))), ElementsAre("three", "two"));
  EXPECT_THAT(Texts(Must(facts.Search({.limit = 2, .offset = 2}))), ElementsAre("one"));
  EXPECT_THAT(Texts(Must(facts.Search({.tag = "t", .limit = 1, .offset = 1}))), ElementsAre("two"));
  EXPECT_EQ(CodeOf(facts.Search({.limit = 0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(facts.Search({.limit = 1001})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(facts.Search({.offset = -1})), ErrorCode::kInvalidArgument);
}

TEST_P(StoreConformance, FactUpdateChangesOnlyWhatIsGivenAndTheSearchFollows) {
  FactStore& facts = store().facts();
  const Fact fact = Must(facts.Add({"old words", {"a"}, {{"k", 1}}}));
  Advance(seconds(1));
  const Fact updated = Must(facts.Update(fact.id, "new words", std::nullopt, std::nullopt));
  EXPECT_EQ(updated.text, "new words");
  EXPECT_THAT(updated.tags, ElementsAre("a"));
  EXPECT_EQ(updated.meta_data.at("k"), 1);
  EXPECT_EQ(updated.updated_at, env_.WallNow());
  EXPECT_EQ(updated.created_at, fact.created_at);
  EXPECT_THAT(Must(facts.Search({.text = "old"})), IsEmpty());
  EXPECT_EQ(Must(facts.Search({.text = "new"})).size(), 1U);

  Must(facts.Update(fact.id, std::nullopt, std::vector<std::string>{"b"}, json::object{{"k", 2}}));
  EXPECT_THAT(Must(facts.Search({.tag = "a"})), IsEmpty());
  EXPECT_EQ(Must(facts.Search({.tag = "b"})).front().meta_data.at("k"), 2);
  EXPECT_EQ(CodeOf(facts.Update(env_.NewId(), "x", std::nullopt, std::nullopt)), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, DeletedFactIsGoneEverywhere) {
  FactStore& facts = store().facts();
  const Fact fact = Must(facts.Add({"words", {"a"}, {}}));
  Must(facts.Delete(fact.id));
  EXPECT_EQ(CodeOf(facts.Get(fact.id)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(facts.Delete(fact.id)), ErrorCode::kNotFound);
  EXPECT_THAT(Must(facts.Search({.text = "words"})), IsEmpty());
  EXPECT_THAT(Must(facts.Search({.tag = "a"})), IsEmpty());
  EXPECT_EQ(Must(facts.Count()), 0);
}

TEST_P(StoreConformance, FactOfADeletedTaskStays) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(End(claim, Completed{}, {.facts = {{.text = "learned"}}}));
  Advance(seconds(1));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 10)), 1);
  const auto facts = Must(store().facts().Search({.text = "learned"}));
  ASSERT_EQ(facts.size(), 1U);
  Must(store().facts().Delete(facts.front().id));
}

TEST_P(StoreConformance, IncidentsComeMostSalientFirst) {
  IncidentStore& incidents = store().incidents();
  for (const double salience : {0.2, 0.9, 0.5}) Must(incidents.Add({salience, {{"s", salience}}}));
  const auto found = Must(incidents.Search(0.5, 10));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].salience_score, 0.9);
  EXPECT_EQ(found[0].event_data.at("s"), 0.9);
  EXPECT_EQ(found[1].salience_score, 0.5);
  EXPECT_EQ(Must(incidents.Search(0.0, 1)).size(), 1U);
}

TEST_P(StoreConformance, LedgerKeepsABalancePerScope) {
  LedgerStore& ledger = store().ledger();
  EXPECT_EQ(Must(ledger.Balance("agent", "a1")), 0.0);
  const LedgerEntry first = Must(ledger.Append({.scope = "agent",
                                                .scope_id = "a1",
                                                .task_id = "t1",
                                                .energy_before = 2.0,
                                                .energy_after = 1.0,
                                                .delta_e = -1.0,
                                                .cost = 0.25,
                                                .breakdown = {{"pair", -1.0}},
                                                .meta = {{"p_fast", 0.9}}}));
  EXPECT_DOUBLE_EQ(first.balance_after, 0.75);
  EXPECT_DOUBLE_EQ(Must(ledger.Append({.scope = "agent", .scope_id = "a1", .delta_e = 0.5})).balance_after, 0.25);
  EXPECT_DOUBLE_EQ(Must(ledger.Append({.scope = "agent", .scope_id = "a2", .delta_e = -3.0})).balance_after, 3.0);
  EXPECT_DOUBLE_EQ(Must(ledger.Balance("agent", "a1")), 0.25);
  EXPECT_DOUBLE_EQ(Must(ledger.Balance("agent", "a2")), 3.0);

  const auto recent = Must(ledger.Recent(2));
  ASSERT_EQ(recent.size(), 2U);
  EXPECT_EQ(recent[0].scope_id, "a2");
  const auto of_task = Must(ledger.ForTask("t1"));
  ASSERT_EQ(of_task.size(), 1U);
  EXPECT_EQ(of_task[0].tx_id, first.tx_id);
  EXPECT_EQ(of_task[0].energy_before, 2.0);
  EXPECT_EQ(of_task[0].energy_after, 1.0);
  EXPECT_EQ(of_task[0].delta_e, -1.0);
  EXPECT_EQ(of_task[0].cost, 0.25);
  EXPECT_EQ(of_task[0].breakdown.at("pair"), -1.0);
  EXPECT_EQ(of_task[0].meta.at("p_fast"), 0.9);
  EXPECT_EQ(of_task[0].at, env_.WallNow());
}

TEST_P(StoreConformance, StreamStateIsNullUntilItIsUpdated) {
  StreamStore& streams = store().streams();
  EXPECT_TRUE(Must(streams.Load("ocps", "a")).is_null());
  const auto add_one = [](const json::value& state) -> json::value {
    return state.is_null() ? 1 : state.as_int64() + 1;
  };
  EXPECT_EQ(Must(streams.Update("ocps", "a", add_one)), 1);
  EXPECT_EQ(Must(streams.Update("ocps", "a", add_one)), 2);
  Must(streams.Update("ocps", "b", add_one));
  Must(streams.Update("drift", "a", add_one));
  Reopen();
  EXPECT_EQ(Must(store().streams().Load("ocps", "a")), 2);
  const auto all = Must(store().streams().List("ocps", 10));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].first, "a");
  EXPECT_EQ(all[1].first, "b");
}

TEST_P(StoreConformance, StreamsAreListedPageByPageByTheBytesOfTheirKeys) {
  const std::vector<std::string> keys = {"A", "B", "a", "b", "\u00e4"};
  for (const std::string& key : keys) {
    Must(store().streams().Update("ocps", key, [](const json::value&) -> json::value { return 1; }));
  }
  std::vector<std::string> seen;
  for (;;) {
    const auto page = Must(store().streams().List("ocps", 2, seen.empty() ? "" : seen.back()));
    EXPECT_LE(page.size(), 2u);
    if (page.empty()) break;
    for (const auto& [key, state] : page) seen.push_back(key);
  }
  EXPECT_EQ(seen, keys);
}

TEST_P(StoreConformance, StreamUpdatesFromManyThreadsAllCount) {
  constexpr int kThreads = 4, kEach = 25;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) {
          Must(store().streams().Update("n", "n", [](const json::value& state) -> json::value {
            return state.is_null() ? 1 : state.as_int64() + 1;
          }));
        }
      });
    }
  }
  EXPECT_EQ(Must(store().streams().Load("n", "n")), kThreads * kEach);
}

TEST_P(RetentionConformance, StreamsThatNobodyTouchesAreForgotten) {
  const auto touch = [&](const std::string& kind, const std::string& key) {
    Must(store().streams().Update(kind, key, [](const json::value&) -> json::value { return 1; }));
  };
  const auto keys = [&](const std::string& kind) {
    std::vector<std::string> out;
    for (const auto& [key, state] : Must(store().streams().List(kind, 100))) out.push_back(key);
    return out;
  };
  for (const char* kind : {"ocps", "drift", "cluster"}) {
    for (const char* key : {"idle", "busy"}) touch(kind, key);
  }
  Advance(std::chrono::days(29));
  for (const char* kind : {"ocps", "drift"}) touch(kind, "busy");
  Must(tasks().DeleteFinished(WallTime{}, 10));
  EXPECT_THAT(keys("ocps"), ElementsAre("busy", "idle"));

  Advance(std::chrono::days(2));
  Must(tasks().DeleteFinished(WallTime{}, 10));
  EXPECT_THAT(keys("ocps"), ElementsAre("busy"));
  EXPECT_THAT(keys("drift"), ElementsAre("busy"));
  EXPECT_THAT(keys("cluster"), ElementsAre("busy", "idle")) << "no task names them";
  touch("ocps", "idle");
  EXPECT_EQ(Must(store().streams().Load("ocps", "idle")), 1) << "it starts anew";
}

TEST_P(StoreConformance, StreamUpdateThatThrowsIsAnErrorAndChangesNothing) {
  StreamStore& streams = store().streams();
  Must(streams.Update("k", "a", [](const json::value&) -> json::value { return 1; }));
  const auto bad = [](const json::value& state) -> json::value { return state.at("member"); };
  EXPECT_EQ(CodeOf(streams.Update("k", "a", bad)), ErrorCode::kInternal);
  EXPECT_EQ(Must(streams.Load("k", "a")), 1);
}

}  // namespace
}  // namespace seedcore::store
