#include "energy/weights.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "energy/flywheel.h"

namespace seedcore::energy {
namespace {

Matrix RandomSymmetric(std::uint32_t seed, std::size_t n) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix matrix(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) matrix(i, j) = matrix(j, i) = normal(random);
  }
  return matrix;
}

TEST(SpectralNormTest, OfADiagonalMatrixIsItsLargestElement) {
  Matrix diagonal(3, 3);
  diagonal(0, 0) = 1.0;
  diagonal(1, 1) = -4.0;
  diagonal(2, 2) = 2.0;
  EXPECT_NEAR(SpectralNorm(diagonal), 4.0, 1e-9);
}

TEST(SpectralNormTest, CopesWithEigenvaluesThatDifferInSignOnly) {
  Matrix swap(2, 2);
  swap(0, 1) = swap(1, 0) = 3.0;
  EXPECT_NEAR(SpectralNorm(swap), 3.0, 1e-9);
}

TEST(SpectralNormTest, OfNothingAndOfZerosIsZero) {
  EXPECT_EQ(SpectralNorm({}), 0.0);
  EXPECT_EQ(SpectralNorm(Matrix(4, 4)), 0.0);
}

TEST(SpectralNormTest, LiesBetweenTheLargestRowAndTheFrobeniusNorm) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    const Matrix matrix = RandomSymmetric(seed, 6);
    const double norm = SpectralNorm(matrix);
    EXPECT_LE(norm, Norm(matrix.data) + 1e-9);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_GE(norm, Norm(matrix.Row(i)) - 1e-6) << "seed " << seed;
  }
}

TEST(WeightsTest, ProjectionBringsEveryWeightWithinItsBounds) {
  Weights weights;
  weights.alpha_entropy = 9.0;
  weights.lambda_reg = -1.0;
  weights.beta_mem = 0.6;
  weights.w_hyper = {-3.0, 0.5, 3.0};
  weights.w_pair = RandomSymmetric(1, 5);
  for (double& value : weights.w_pair.data) value *= 10.0;
  const Weights projected = Project(weights);
  EXPECT_EQ(projected.alpha_entropy, 2.0);
  EXPECT_EQ(projected.lambda_reg, 0.001);
  EXPECT_EQ(projected.beta_mem, 0.5);
  EXPECT_EQ(projected.w_hyper, (std::vector{-1.0, 0.5, 1.0}));
  EXPECT_NEAR(SpectralNorm(projected.w_pair), 1.0, 1e-6);
}

TEST(WeightsTest, ProjectionSymmetrizesAndLeavesSmallMatricesAlone) {
  Weights weights;
  weights.w_pair = Matrix(2, 2);
  weights.w_pair(0, 1) = 0.4;
  const Weights projected = Project(weights);
  EXPECT_DOUBLE_EQ(projected.w_pair(0, 1), 0.2);
  EXPECT_DOUBLE_EQ(projected.w_pair(1, 0), 0.2);
}

TEST(WeightsTest, ProjectingTwiceChangesNothingMore) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    Weights weights;
    weights.w_pair = RandomSymmetric(seed, 4);
    const Weights once = Project(weights);
    EXPECT_EQ(Project(once), once) << "seed " << seed;
  }
}

TEST(WeightsTest, StoredWeightsReadBackAndDamagedOnesAreCorrupt) {
  Weights weights;
  weights.alpha_entropy = 0.123456789;
  weights.w_hyper_each = -0.25;
  EXPECT_EQ(WeightsFromJson(WeightsToJson(weights)).value(), weights);
  EXPECT_EQ(WeightsFromJson(nullptr).value(), Weights{});
  EXPECT_EQ(WeightsFromJson(json::object{{"alpha_entropy", "x"}}).error().code, ErrorCode::kCorrupt);
}

TEST(FlywheelTest, ALossRaisesMemoryAndEntropyWeightsAndAGainLowersThem) {
  Weights weights;
  weights.alpha_entropy = 1.0;
  weights.beta_mem = 0.2;
  const Weights worse = Adapt(weights, {.delta_e = 0.5, .beta_mem = std::nullopt});
  EXPECT_DOUBLE_EQ(worse.beta_mem, 0.2 * 1.02);
  EXPECT_DOUBLE_EQ(worse.alpha_entropy, 1.05);
  EXPECT_DOUBLE_EQ(worse.w_hyper_each, 0.095);
  const Weights better = Adapt(weights, {.delta_e = -0.5, .beta_mem = std::nullopt});
  EXPECT_DOUBLE_EQ(better.beta_mem, 0.2 * 0.98);
  EXPECT_DOUBLE_EQ(better.alpha_entropy, 0.95);
  EXPECT_DOUBLE_EQ(better.w_hyper_each, 0.105);
}

TEST(FlywheelTest, NoChangeOfEnergyChangesNoWeight) {
  EXPECT_EQ(Adapt({}, {.delta_e = 0.0, .beta_mem = std::nullopt}), Weights{});
}

TEST(FlywheelTest, AGivenMemoryWeightWinsWithinItsBounds) {
  EXPECT_DOUBLE_EQ(Adapt({}, {.delta_e = 0.5, .beta_mem = 0.3}).beta_mem, 0.3);
  EXPECT_DOUBLE_EQ(Adapt({}, {.delta_e = 0.5, .beta_mem = 7.0}).beta_mem, 0.5);
}

TEST(FlywheelTest, NoRunOfResultsLeavesTheBounds) {
  for (const double delta : {-1e9, -0.1, 0.1, 1e9}) {
    Weights weights;
    for (int i = 0; i < 1000; ++i) weights = Adapt(weights, {.delta_e = delta, .beta_mem = std::nullopt});
    EXPECT_GE(weights.alpha_entropy, kAlphaBounds.min);
    EXPECT_LE(weights.alpha_entropy, kAlphaBounds.max);
    EXPECT_GE(weights.beta_mem, kBetaBounds.min);
    EXPECT_LE(weights.beta_mem, kBetaBounds.max);
    EXPECT_LE(std::abs(weights.w_hyper_each), 1.0);
  }
}

TEST(StabilityTest, TheUsualGainsPassTheGate) {
  const Stability stability = EstimateStability(0.9, 0.1, 0.2, {});
  EXPECT_NEAR(stability.L_tot, 0.152, 1e-12);
  EXPECT_TRUE(stability.ok_for_promotion);
}

TEST(StabilityTest, GainsAboveTheCapAreShownUnclampedAndFailTheGate) {
  const Stability stability = EstimateStability(0.9, 0.1, 0.5, {.beta_router = 4.0});
  EXPECT_NEAR(stability.L_tot, 1.52, 1e-12);
  EXPECT_FALSE(stability.ok_for_promotion);
}

TEST(StabilityTest, WithoutTrafficNothingIsPromoted) {
  EXPECT_FALSE(EstimateStability(0.0, 0.0, 0.2, {}).ok_for_promotion);
}

}  // namespace
}  // namespace seedcore::energy
