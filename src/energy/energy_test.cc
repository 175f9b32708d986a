#include "energy/energy.h"

#include <cmath>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace seedcore::energy {
namespace {

Matrix Rows(const std::vector<std::vector<double>>& rows) {
  Matrix matrix(rows.size(), rows.empty() ? 0 : rows.front().size());
  for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(rows[i], matrix.Row(i).begin());
  return matrix;
}

Matrix RandomMatrix(std::mt19937& random, std::size_t rows, std::size_t cols) {
  std::normal_distribution<double> normal;
  Matrix matrix(rows, cols);
  for (double& value : matrix.data) value = normal(random);
  return matrix;
}

Matrix RandomRoles(std::mt19937& random, std::size_t rows) {
  std::uniform_real_distribution<double> uniform(0.05, 1.0);
  Matrix matrix(rows, 3);
  for (std::size_t i = 0; i < rows; ++i) {
    double sum = 0.0;
    for (double& value : matrix.Row(i)) sum += value = uniform(random);
    for (double& value : matrix.Row(i)) value /= sum;
  }
  return matrix;
}

/// An input with everything in it, and weights whose W_pair is not symmetric.
std::pair<EnergyInput, Weights> RandomCase(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  EnergyInput input;
  input.h = RandomMatrix(random, 4, 5);
  input.p = RandomRoles(random, 4);
  input.e_sel = {uniform(random), uniform(random), uniform(random)};
  input.p_compress = uniform(random);
  input.r_effective = 1.0 + 3.0 * uniform(random);
  Weights weights;
  weights.alpha_entropy = 0.7;
  weights.lambda_reg = 0.03;
  weights.beta_mem = 0.3;
  weights.w_pair = RandomMatrix(random, 4, 4);
  weights.w_hyper = {0.2, -0.4, 0.9};
  return {input, weights};
}

double Total(const EnergyInput& input, const Weights& weights) { return ComputeEnergy(input, weights).value().total; }

/// Central difference of the total energy by one number of the input.
double Slope(const EnergyInput& input, const Weights& weights, double& (*number)(EnergyInput&, std::size_t),
             std::size_t index) {
  constexpr double kStep = 1e-6;
  EnergyInput up = input;
  number(up, index) += kStep;
  EnergyInput down = input;
  number(down, index) -= kStep;
  return (Total(up, weights) - Total(down, weights)) / (2.0 * kStep);
}

void ExpectTerms(const EnergyTerms& terms, const EnergyTerms& expected) {
  // The vectors were computed with 1e-8 added to the sum that normalizes the roles.
  constexpr double kTolerance = 1e-9;
  EXPECT_NEAR(terms.pair, expected.pair, kTolerance);
  EXPECT_NEAR(terms.hyper, expected.hyper, kTolerance);
  EXPECT_NEAR(terms.entropy, expected.entropy, kTolerance);
  EXPECT_NEAR(terms.reg, expected.reg, kTolerance);
  EXPECT_NEAR(terms.mem, expected.mem, kTolerance);
  EXPECT_NEAR(terms.total, expected.total, kTolerance);
}

TEST(EnergyTest, GoldenVectorAOfThreeAgents) {
  EnergyInput input;
  input.h = Matrix(3, 4);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t d = 0; d < 4; ++d) input.h(i, d) = 0.01 * static_cast<double>((i + 1) * d);
  }
  input.p = Rows({{.34, .33, .33}, {.34, .33, .33}, {.34, .33, .33}});
  input.e_sel = {1, .5, .2};
  ExpectTerms(ComputeEnergy(input, {}).value(), {-0.00196, -0.17, -0.3295537848, 0.000196, 0.0, -0.5013177848});
}

TEST(EnergyTest, GoldenVectorBOfTwoAgents) {
  EnergyInput input;
  input.h = Rows({{.1, .2}, {0, .1}});
  input.p = Rows({{.34, .33, .33}, {.3, .3, .4}});
  input.e_sel = {1, 1, 1, 1};
  ExpectTerms(ComputeEnergy(input, {}).value(), {-0.006, -0.4, -0.2187412591, 0.0006, 0.0, -0.6241412591});
}

TEST(EnergyTest, GoldenVectorCOfOneAgent) {
  EnergyInput input;
  input.h = Rows({{.1, .2}});
  input.p = Rows({{.34, .33, .33}});
  input.e_sel = {1, 1, 1, 1};
  ExpectTerms(ComputeEnergy(input, {}).value(), {-0.005, -0.4, -0.1098512616, 0.0005, 0.0, -0.5143512616});
}

TEST(EnergyTest, GoldenVectorDWithGivenWeightsAndCompression) {
  EnergyInput input;
  input.h = Rows({{.1, .2}, {0, .1}});
  input.p = Rows({{.34, .33, .33}, {.3, .3, .4}});
  input.e_sel = {1, .25};
  input.p_compress = 1.0;
  input.r_effective = 2.0;
  Weights weights;
  weights.alpha_entropy = 0.5;
  weights.beta_mem = 0.2;
  weights.w_pair = Rows({{.5, .2}, {.2, .5}});
  weights.w_hyper = {.3, .1};
  ExpectTerms(ComputeEnergy(input, weights).value(), {-0.038, -0.325, -1.0937062953, 0.0006, 0.1, -1.3561062953});
}

TEST(EnergyTest, NothingHasNoEnergy) { ExpectTerms(ComputeEnergy({}, {}).value(), {}); }

TEST(EnergyTest, TheDefaultPairWeightEqualsItsMatrix) {
  auto [input, weights] = RandomCase(1);
  weights.w_pair = {};
  Weights explicit_weights = weights;
  explicit_weights.w_pair = Matrix(4, 4);
  for (std::size_t i = 0; i < 4; ++i) explicit_weights.w_pair(i, i) = weights.w_pair_self;
  EXPECT_NEAR(Total(input, weights), Total(input, explicit_weights), 1e-12);
}

TEST(EnergyTest, RenamingTheAgentsChangesNothing) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    auto [input, weights] = RandomCase(seed);
    std::vector<std::size_t> order(input.h.rows);
    std::iota(order.begin(), order.end(), 0);
    std::ranges::shuffle(order, std::mt19937(seed));
    EnergyInput permuted = input;
    Weights permuted_weights = weights;
    for (std::size_t i = 0; i < order.size(); ++i) {
      std::ranges::copy(input.h.Row(order[i]), permuted.h.Row(i).begin());
      std::ranges::copy(input.p.Row(order[i]), permuted.p.Row(i).begin());
      for (std::size_t j = 0; j < order.size(); ++j) {
        permuted_weights.w_pair(i, j) = weights.w_pair(order[i], order[j]);
      }
    }
    EXPECT_NEAR(Total(input, weights), Total(permuted, permuted_weights), 1e-10) << "seed " << seed;
  }
}

TEST(EnergyTest, GradientByHEqualsTheSlopeOfTheEnergy) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    const auto [input, weights] = RandomCase(seed);
    const auto gradients = ComputeGradients(input, weights).value();
    const Matrix total = TotalGradientH(input, weights, gradients);
    EnergyInput fixed_norm = input;
    fixed_norm.s_norm = Norm(input.h.data);
    const auto number = [](EnergyInput& in, std::size_t i) -> double& { return in.h.data[i]; };
    for (std::size_t i = 0; i < input.h.data.size(); ++i) {
      EXPECT_NEAR(total.data[i], Slope(input, weights, number, i), 1e-6);
      EXPECT_NEAR(gradients.de_dh.data[i], Slope(fixed_norm, weights, number, i), 1e-6);
    }
  }
}

TEST(EnergyTest, GradientByRolesEqualsTheSlopeOfTheEnergy) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    const auto [input, weights] = RandomCase(seed);
    const auto gradients = ComputeGradients(input, weights).value();
    const auto number = [](EnergyInput& in, std::size_t i) -> double& { return in.p.data[i]; };
    for (std::size_t i = 0; i < input.p.data.size(); ++i) {
      EXPECT_NEAR(gradients.de_dp.data[i], Slope(input, weights, number, i), 1e-6);
    }
  }
}

TEST(EnergyTest, GradientsByPatternsNormAndMemoryEqualTheSlopeOfTheEnergy) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    auto [input, weights] = RandomCase(seed);
    for (double& e : input.e_sel) e = 0.25 + e / 2.0;
    input.s_norm = 1.7;
    input.r_effective = 2.0;
    input.p_compress = 0.5;
    const auto gradients = ComputeGradients(input, weights).value();
    const auto pattern = [](EnergyInput& in, std::size_t i) -> double& { return in.e_sel[i]; };
    for (std::size_t k = 0; k < input.e_sel.size(); ++k) {
      EXPECT_NEAR(gradients.de_dsel[k], Slope(input, weights, pattern, k), 1e-6);
    }
    const auto norm = [](EnergyInput& in, std::size_t) -> double& { return *in.s_norm; };
    EXPECT_NEAR(gradients.de_ds_norm, Slope(input, weights, norm, 0), 1e-6);
    // With r = 2 the compression cost is p_compress / 2.
    const auto compress = [](EnergyInput& in, std::size_t) -> double& { return in.p_compress; };
    EXPECT_NEAR(gradients.de_dmem / 2.0, Slope(input, weights, compress, 0), 1e-6);
    // By the summed entropy: E_entropy = -alpha * sum.
    EXPECT_DOUBLE_EQ(gradients.de_dp_entropy, -weights.alpha_entropy);
  }
}

TEST(EnergyTest, AStepAgainstTheGradientLowersTheEnergy) {
  auto [input, weights] = RandomCase(3);
  const Matrix total = TotalGradientH(input, weights, ComputeGradients(input, weights).value());
  const double before = Total(input, weights);
  for (std::size_t i = 0; i < input.h.data.size(); ++i) input.h.data[i] -= 1e-4 * total.data[i];
  EXPECT_LT(Total(input, weights), before);
}

TEST(EnergyTest, MoreCompressionCostsMoreAndNoneCostsNothing) {
  EXPECT_EQ(CostVq(0.0, 4.0), 0.0);
  EXPECT_EQ(CostVq(1.0, 1.0), 0.0);
  EXPECT_EQ(CostVq(1.0, 0.5), 0.0);
  EXPECT_DOUBLE_EQ(CostVq(1.0, 4.0), 0.75);
  EXPECT_LT(CostVq(0.5, 2.0), CostVq(0.5, 3.0));
}

TEST(EnergyTest, EntropyIsLargestForEqualRolesAndNearlyNothingForACertainOne) {
  EXPECT_NEAR(Entropy(std::array{1.0 / 3, 1.0 / 3, 1.0 / 3}), std::log(3.0), 1e-12);
  EXPECT_NEAR(Entropy(std::array{1.0, 0.0, 0.0}), 0.0, 1e-6);
  EXPECT_NEAR(Entropy(std::array{2.0, 0.0, 0.0}), 0.0, 1e-6);
}

TEST(EnergyTest, ShapesThatDoNotFitAreRefusedByName) {
  const auto [input, weights] = RandomCase(1);
  Weights wrong_pair = weights;
  wrong_pair.w_pair = Matrix(3, 4);
  EXPECT_EQ(ComputeEnergy(input, wrong_pair).error().path, "weights.W_pair");
  Weights wrong_hyper = weights;
  wrong_hyper.w_hyper = {1.0};
  EXPECT_EQ(ComputeEnergy(input, wrong_hyper).error().path, "weights.W_hyper");
  EnergyInput few_roles = input;
  few_roles.p = Matrix(3, 3, 0.3);
  EXPECT_EQ(ComputeGradients(few_roles, weights).error().code, ErrorCode::kInvalidArgument);
  EnergyInput loud = input;
  loud.e_sel[1] = 1.5;
  EXPECT_EQ(ComputeEnergy(loud, weights).error().path, "e_sel");
}

TEST(EnergyTest, NumbersThatAreNotFiniteOrOverflowAreRefused) {
  auto [input, weights] = RandomCase(1);
  input.h(0, 0) = std::nan("");
  EXPECT_FALSE(ComputeEnergy(input, weights));
  input.h(0, 0) = 1e200;
  EXPECT_EQ(ComputeEnergy(input, weights).error().code, ErrorCode::kInvalidArgument);
  input.h(0, 0) = 1.0;
  weights.lambda_reg = INFINITY;
  EXPECT_FALSE(ComputeEnergy(input, weights));
}

TEST(EnergyTest, AStateBecomesAnInputWithRolesOnTheSimplexAndPatternsInRange) {
  state::UnifiedState state;
  state.agents["b"] = {.h = {3, 4}, .p = {2.0, 0.0, 0.0}};
  state.agents["a"] = {.h = {1, 2}, .p = {.34, .33, .33}};
  state.system.emplace().E_patterns = {-1.0, 0.5, 7.0};
  state.memory.emplace().compression = {{1.0, 2.0}};
  const EnergyInput input = InputFromState(state).value();
  EXPECT_EQ(input.h, Rows({{1, 2}, {3, 4}}));
  EXPECT_EQ(input.p, Rows({{.34, .33, .33}, {1, 0, 0}}));
  EXPECT_EQ(input.e_sel, (std::vector{0.0, 0.5, 1.0}));
  EXPECT_EQ(input.r_effective, 2.0);
}

TEST(EnergyTest, EmbeddingsOfDifferentLengthNameTheAgent) {
  state::UnifiedState state;
  state.agents["a"] = {.h = {1, 2}, .p = {1, 0, 0}};
  state.agents["b"] = {.h = {1}, .p = {1, 0, 0}};
  EXPECT_EQ(InputFromState(state).error().path, "agents.b.h");
}

}  // namespace
}  // namespace seedcore::energy
