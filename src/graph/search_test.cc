#include "graph/search.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>

#include "graph/test_world.h"

namespace seedcore::graph {
namespace {

using testing::ElementsAre;

TEST(DistanceTest, IsWhatItsNameSays) {
  const std::vector<float> a{3.0F, 0.0F}, b{0.0F, 4.0F}, zero{0.0F, 0.0F};
  EXPECT_FLOAT_EQ(Distance(Metric::kL2, a, b), 5.0F);
  EXPECT_FLOAT_EQ(Distance(Metric::kCosine, a, b), 1.0F);
  EXPECT_FLOAT_EQ(Distance(Metric::kCosine, a, a), 0.0F);
  EXPECT_FLOAT_EQ(Distance(Metric::kCosine, a, zero), 1.0F);
}

TEST(NearestTest, KeepsTheNearestAndPrefersTheOlderOfEquals) {
  Nearest nearest(2);
  for (const auto& [id, distance] : {std::pair(4, 0.5F), std::pair(3, 0.2F), std::pair(2, 0.5F), std::pair(1, 0.9F)}) {
    nearest.Add({id, {}, {}, distance});
  }
  std::vector<std::int64_t> ids;
  for (const Hit& hit : nearest.Take()) ids.push_back(hit.node_id);
  EXPECT_THAT(ids, ElementsAre(3, 2));
}

class SearchTest : public testing::Test {
 protected:
  /// `count` skills with random vectors of 20 numbers.
  void Fill(int count) {
    std::mt19937 random(7);
    std::vector<store::NodeRef> refs;
    for (int i = 0; i < count; ++i) refs.push_back({store::NodeKind::kSkill, fmt::format("s{}", i)});
    const auto ids = Must(world.graph().EnsureNodes(refs));
    for (const std::int64_t id : ids) {
      store::NodeEmbedding embedding;
      embedding.node_id = id;
      embedding.model = "m";
      embedding.model_version = "1";
      embedding.content_hash = "h";
      for (int d = 0; d < 20; ++d) embedding.vector.push_back(static_cast<float>(random() % 1000) / 1000.0F);
      embeddings.push_back(std::move(embedding));
    }
    Must(world.graph().PutEmbeddings(embeddings));
  }

  World world;
  std::vector<store::NodeEmbedding> embeddings;
};

TEST_F(SearchTest, FindsExactlyTheNearestAcrossPages) {
  Fill(5000);
  const std::vector<float> query(20, 0.5F);
  for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
    auto expected = embeddings;
    std::ranges::sort(expected, [&](const auto& a, const auto& b) {
      return std::pair(Distance(metric, query, a.vector), a.node_id) <
             std::pair(Distance(metric, query, b.vector), b.node_id);
    });
    SearchOptions options{.model = "m", .model_version = "1", .metric = metric, .topk = 7, .kinds = {}, .exclude = {}};
    options.exclude.insert(expected[0].node_id);
    const auto hits = Must(Search(world.graph(), query, options, world.call, world.env));
    ASSERT_EQ(hits.size(), 7U);
    for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].node_id, expected[i + 1].node_id) << i;
  }
}

TEST_F(SearchTest, RefusesMoreVectorsThanItsBound) {
  Fill(3);
  const SearchOptions options{.model = "m", .model_version = "1", .kinds = {}, .exclude = {}, .max_vectors = 2};
  const auto refused = Search(world.graph(), std::vector<float>(20), options, world.call, world.env);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(SearchTest, ComparesOnlyWithItsVersionAndKinds) {
  Fill(3);
  const std::vector<float> query(20);
  SearchOptions options{.model = "m", .model_version = "2", .kinds = {}, .exclude = {}};
  EXPECT_TRUE(Must(Search(world.graph(), query, options, world.call, world.env)).empty());
  options.model_version = "1";
  options.kinds = {store::NodeKind::kTask};
  EXPECT_TRUE(Must(Search(world.graph(), query, options, world.call, world.env)).empty());
  options.kinds = {store::NodeKind::kSkill};
  EXPECT_EQ(Must(Search(world.graph(), query, options, world.call, world.env)).size(), 3U);
}

}  // namespace
}  // namespace seedcore::graph
