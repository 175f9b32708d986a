#include "graph/aggregation.h"

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>

#include "base/json.h"
#include "store/conformance.h"

namespace seedcore::graph {
namespace {

using store::Must;
using testing::HasSubstr;

/// Two nodes joined by an edge, and one alone; each with one feature of its own.
Matrix ThreeNodes() {
  Matrix features(3 * kDims);
  for (std::size_t i = 0; i < 3; ++i) features[i * kDims + i] = 1.0F;
  return features;
}
const Csr kJoined{.offsets = {0, 1, 2, 2}, .targets = {1, 0}};

json::array Scaled(double x) {
  json::array rows;
  for (std::size_t i = 0; i < kDims; ++i) {
    json::array row(kDims, 0.0);
    row[i] = x;
    rows.emplace_back(std::move(row));
  }
  return rows;
}

json::object LayerOf(double self, double neighbour) {
  return {{"self", Scaled(self)}, {"neighbour", Scaled(neighbour)}, {"bias", json::array(kDims, 0.0)}};
}

class WeightsTest : public testing::Test {
 protected:
  Result<Weights> Load(const json::value& content, int layers = 1) {
    const std::string path = directory_.path() + "/weights.json";
    std::ofstream(path) << WriteJson(content);
    return LoadWeights(path, layers);
  }
  store::TempDirectory directory_;
};

TEST(AggregationTest, WithoutWeightsIsHalfOfItselfAndHalfOfTheMeanOfItsNeighbours) {
  const Matrix out = Aggregate(ThreeNodes(), kJoined, 1, {});
  const float half = 1.0F / std::sqrt(2.0F);
  EXPECT_FLOAT_EQ(out[0], half);
  EXPECT_FLOAT_EQ(out[1], half);
  EXPECT_FLOAT_EQ(out[2 * kDims + 2], 1.0F) << "a node alone keeps its features";
}

TEST(AggregationTest, EveryRowHasLengthOne) {
  const Matrix out = Aggregate(ThreeNodes(), kJoined, 3, {});
  for (std::size_t i = 0; i < 3; ++i) {
    float sum = 0.0F;
    for (std::size_t d = 0; d < kDims; ++d) sum += out[i * kDims + d] * out[i * kDims + d];
    EXPECT_NEAR(sum, 1.0F, 1e-5F);
  }
}

TEST_F(WeightsTest, OfAFileAreUsed) {
  const json::object file{{"features", 1}, {"layers", json::array{LayerOf(3.0, 4.0)}}};
  const Weights weights = Must(Load(file));
  const Matrix out = Aggregate(ThreeNodes(), kJoined, 1, weights);
  EXPECT_FLOAT_EQ(out[0], 0.6F);
  EXPECT_FLOAT_EQ(out[1], 0.8F);
  EXPECT_FALSE(weights.hash.empty());
}

TEST_F(WeightsTest, OfAnotherShapeAreRefusedWithTheirPlace) {
  EXPECT_THAT(Load(json::object{{"features", 2}}).error().message, HasSubstr("features of version 1"));
  EXPECT_EQ(Load(json::object{{"features", 1}, {"layers", json::array{}}}).error().path, "layers");
  json::object layer = LayerOf(1.0, 1.0);
  layer["neighbour"].as_array()[5].as_array().pop_back();
  EXPECT_EQ(Load(json::object{{"features", 1}, {"layers", json::array{layer}}}).error().path, "layers[0].neighbour[5]");
  EXPECT_EQ(LoadWeights(directory_.path() + "/none.json", 1).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace seedcore::graph
