#include "organism/calc.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include <gtest/gtest.h>

namespace seedcore::organism {
namespace {

std::string Text(std::string_view expression) {
  const auto value = Evaluate(expression);
  return value ? value->ToString() : ToString(value.error());
}

Error ErrorOf(std::string_view expression) {
  const auto value = Evaluate(expression);
  EXPECT_FALSE(value) << expression << " gave " << value->ToString();
  return value ? Error{} : value.error();
}

TEST(Calculator, MultipliesBeforeItAdds) { EXPECT_EQ(Text("1 + 2 * 3 - 4 / 2"), "5"); }
TEST(Calculator, ParenthesesComeFirst) { EXPECT_EQ(Text("(1 + 2) * (3 - 4)"), "-3"); }
TEST(Calculator, SubtractionAndDivisionGroupToTheLeft) { EXPECT_EQ(Text("100 - 10 - 5 / 5 / 2"), "89.5"); }
TEST(Calculator, PowersGroupToTheRight) { EXPECT_EQ(Text("2 ^ 3 ** 2"), "512"); }
TEST(Calculator, PowerBindsTighterThanAMinusOnItsLeft) { EXPECT_EQ(Text("-2^2"), "-4"); }
TEST(Calculator, PowerTakesANegativeExponent) { EXPECT_EQ(Text("2^-1"), "0.5"); }
TEST(Calculator, SignsMayPileUp) { EXPECT_EQ(Text("--5 - -+3"), "8"); }
TEST(Calculator, DecimalsAreExact) { EXPECT_EQ(Text("0.1 + 0.2"), "0.3"); }
TEST(Calculator, FractionsAreExact) { EXPECT_EQ(Text("1/3*3"), "1"); }
TEST(Calculator, ExponentsInNumbersAreRead) { EXPECT_EQ(Text("1.5e3 + 2e-1"), "1500.2"); }
TEST(Calculator, TheLargestIntegersAreExact) { EXPECT_EQ(Text("9223372036854775806 + 1"), "9223372036854775807"); }
TEST(Calculator, ModuloTakesTheSignOfTheDivisor) { EXPECT_EQ(Text("-7 % 3"), "2"); }
TEST(Calculator, FunctionsTakeTheirArguments) {
  EXPECT_EQ(Text("sqrt(16) + abs(-3) + min(4, 2, 8) + max(1, 5) + round(2.5) + floor(-0.5) + ceil(0.2)"), "17");
}
TEST(Calculator, SquareRootsOfSquareFractionsAreExact) { EXPECT_EQ(Text("sqrt(2.25)"), "1.5"); }
TEST(Calculator, TypographicSignsMeanTheOrdinaryOnes) { EXPECT_EQ(Text("6 \u00d7 7 \u2212 8 \u00f7 2"), "38"); }

TEST(Calculator, AnIntegerTooLargeBecomesApproximateAndSaysSo) {
  const auto value = Evaluate("2^200");
  ASSERT_TRUE(value);
  EXPECT_FALSE(value->PrintsExactly());
  EXPECT_DOUBLE_EQ(value->ToDouble(), std::pow(2.0, 200));
}

TEST(Calculator, DivisionByZeroSaysWhere) {
  const Error error = ErrorOf("1 + 2 / (3 - 3)");
  EXPECT_EQ(error.code, ErrorCode::kNonRetryable);
  EXPECT_EQ(error.message, "division by zero at position 7");
}
TEST(Calculator, ZeroToANegativePowerIsADivisionByZero) {
  EXPECT_TRUE(ErrorOf("0 ^ -1").message.starts_with("division by zero"));
}
TEST(Calculator, OverflowIsAnError) { EXPECT_TRUE(ErrorOf("10^308 * 10").message.starts_with("overflow")); }
TEST(Calculator, ARootOfANegativeNumberIsAnError) { EXPECT_EQ(ErrorOf("sqrt(-1)").code, ErrorCode::kNonRetryable); }
TEST(Calculator, ANegativeNumberToAFractionIsAnError) {
  EXPECT_EQ(ErrorOf("(-8)^0.5").message, "the result is not a real number at position 5");
}
TEST(Calculator, AnOperatorWithoutAnOperandIsMalformed) {
  const Error error = ErrorOf("1 + * 2");
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message, "expected a number, a function or (, got * at position 5");
}
TEST(Calculator, AnUnknownFunctionNamesTheKnownOnes) {
  EXPECT_TRUE(ErrorOf("sin(1)").message.starts_with("'sin' is no function (sqrt, abs"));
}
TEST(Calculator, OpenParenthesesAreMalformed) {
  EXPECT_EQ(ErrorOf("(1 + 2").message, "expected ), got the end at position 7");
}
TEST(Calculator, NothingIsMalformed) { EXPECT_EQ(ErrorOf("  ").code, ErrorCode::kInvalidArgument); }
TEST(Calculator, WrongNumberOfArgumentsIsMalformed) {
  EXPECT_EQ(ErrorOf("sqrt(1, 2)").message, "sqrt takes one argument, got 2 at position 1");
}
TEST(Calculator, LengthIsLimited) {
  EXPECT_EQ(ErrorOf(std::string(kMaxExpressionBytes + 1, '1')).code, ErrorCode::kInvalidArgument);
}
TEST(Calculator, DepthIsLimited) {
  for (const std::string& nest : {std::string(1000, '('), std::string(1000, '-'), std::string("2")}) {
    std::string expression = nest;
    if (nest == "2") {
      for (int i = 0; i < 200; ++i) expression += "^2";
    }
    EXPECT_TRUE(ErrorOf(expression).message.starts_with("nested deeper")) << expression;
  }
}

TEST(Calculator, ANumberByItselfIsNoComputation) {
  EXPECT_FALSE(IsComputation("42"));
  EXPECT_FALSE(IsComputation("-42"));
  EXPECT_FALSE(IsComputation("hello"));
  EXPECT_TRUE(IsComputation("40 + 2"));
  EXPECT_TRUE(IsComputation("1 / 0"));
}

/// Builds a random expression together with its value in long double, evaluated as it is built.
class RandomExpression {
 public:
  explicit RandomExpression(std::uint64_t seed) : engine_(seed) {}

  struct Made {
    std::string text;
    long double value;
  };
  Made Make(int depth) {
    if (depth == 0) return Leaf();
    const Made a = Make(depth - 1);
    const Made b = Make(static_cast<int>(Draw(static_cast<std::uint64_t>(depth))));
    switch (Draw(7)) {
      case 0: return {"(" + a.text + " + " + b.text + ")", a.value + b.value};
      case 1: return {"(" + a.text + "-" + b.text + ")", a.value - b.value};
      case 2: return {"(" + a.text + " * " + b.text + ")", a.value * b.value};
      case 3: return {"(" + a.text + "/" + b.text + ")", a.value / b.value};
      case 4: return {"-(" + a.text + ")", -a.value};
      case 5: return {"max(" + a.text + "," + b.text + ")", std::max(a.value, b.value)};
      default: return {"abs(" + a.text + ")^2", a.value * a.value};
    }
  }

 private:
  std::uint64_t Draw(std::uint64_t below) { return engine_() % below; }
  Made Leaf() {
    const auto whole = Draw(100);
    if (Draw(2) == 0) return {std::to_string(whole), static_cast<long double>(whole)};
    const auto tenths = Draw(10);
    return {std::to_string(whole) + "." + std::to_string(tenths),
            static_cast<long double>(whole) + static_cast<long double>(tenths) / 10.0L};
  }
  std::mt19937_64 engine_;
};

TEST(Calculator, AgreesWithADirectEvaluationOfRandomExpressions) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    const auto made = RandomExpression(seed).Make(static_cast<int>(seed % 6));
    if (made.text.size() > kMaxExpressionBytes) continue;
    const auto value = Evaluate(made.text);
    if (!std::isfinite(made.value)) continue;  // a division by a difference that is zero
    if (!value) {
      // Exact arithmetic finds zeros that rounding hides.
      EXPECT_EQ(value.error().code, ErrorCode::kNonRetryable) << made.text << ": " << value.error().message;
      continue;
    }
    // Cancellation makes the reference's own error larger than ours, so only well-conditioned results are compared.
    const double tolerance = 1e-9 * std::max(1.0, std::abs(static_cast<double>(made.value)));
    EXPECT_NEAR(value->ToDouble(), static_cast<double>(made.value), tolerance) << "seed " << seed << ": " << made.text;
    ++compared;
  }
  EXPECT_GT(compared, 4000);
}

TEST(Calculator, WhatItPrintsExactlyReadsBackAsTheSame) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const auto value = Evaluate(RandomExpression(seed).Make(static_cast<int>(seed % 4)).text);
    if (!value || !value->PrintsExactly()) continue;
    const auto again = Evaluate(value->ToString());
    ASSERT_TRUE(again) << value->ToString();
    EXPECT_EQ(again->ToString(), value->ToString());
  }
}

TEST(Calculator, AdditionAndMultiplicationDistributeExactly) {
  std::mt19937_64 engine(7);
  for (int i = 0; i < 2000; ++i) {
    const auto draw = [&] {
      return fmt::format("({}/{})", static_cast<int>(engine() % 2001) - 1000, engine() % 99 + 1);
    };
    const std::string a = draw();
    const std::string b = draw();
    const std::string c = draw();
    EXPECT_EQ(Text(fmt::format("{0}*({1}+{2}) - {0}*{1} - {0}*{2}", a, b, c)), "0") << a << b << c;
  }
}

}  // namespace
}  // namespace seedcore::organism
