#include "coordinator/predicate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seedcore::coordinator {
namespace {

using testing::HasSubstr;

const SymbolTable& Symbols() {
  static const SymbolTable symbols({"p_fast", "s_drift", "ΔE_est", "task.type", "task.features", "gpu.guard_ok"});
  return symbols;
}

/// The value of `source` when nothing but task.type ("execute") and p_fast (0.9) is known; the error text in its place.
json::value Eval(std::string_view source) {
  const auto predicate = Predicate::Compile(source, Symbols());
  if (!predicate) return json::string(predicate.error().message);
  std::vector<Value> slots(Symbols().size());
  slots[0] = Value::Float(0.9);
  slots[3] = Value::String("execute");
  const auto value = predicate->EvaluateValue(slots);
  if (!value) return json::string(value.error().ToString());
  return *value;
}

std::string CompileError(std::string_view source) {
  const auto predicate = Predicate::Compile(source, Symbols());
  return predicate ? "compiles" : predicate.error().message;
}

TEST(Predicate, AndStopsAtTheFirstFalseOperand) {
  EXPECT_EQ(Eval("s_drift is not None and s_drift > 1"), json::value(false));
  EXPECT_EQ(Eval("s_drift is None or s_drift > 1"), json::value(true));
}

TEST(Predicate, AValueThatSharesItsPartsIsCutOffWhenItIsWrittenOut) {
  EXPECT_EQ(Eval("2*[2*[1]]"), ParseJson("[[1,1],[1,1]]").value());
  // 12 * 1111 * 412 * 1111 elements in 26 bytes of source, and few steps to compute.
  EXPECT_LT(WriteJson(Eval("12*[1111*[412*[1111*[4]]]]")).size(), 1U << 20);
}

TEST(Predicate, ATypeErrorNamesItsPlaceAndOperands) {
  EXPECT_EQ(Eval("p_fast > 0 and s_drift > 600"),
            json::value("line 1, column 24: the operator is not defined for these operands (null and a number)"));
}

TEST(Predicate, AcceptsWholeNumbersWhereFractionsAreMeant) {
  EXPECT_EQ(Eval("p_fast < 1 and 1 == 1.0"), json::value(true));
}

TEST(Predicate, ComparesLargeIntegersWithFractionsExactly) {
  EXPECT_EQ(Eval("9007199254740993 > 9007199254740992.0"), json::value(true));
  EXPECT_EQ(Eval("9223372036854775807 < 1e19"), json::value(true));
}

TEST(Predicate, DottedAccessToWhatIsMissingIsNull) {
  EXPECT_EQ(Eval("task.features.model.name"), json::value(nullptr));
  EXPECT_EQ(Eval("{'a': 1}.b"), json::value(nullptr));
}

TEST(Predicate, AGroupMemberMayBeNamedBySubscript) { EXPECT_EQ(Eval("task['type']"), json::value("execute")); }

TEST(Predicate, AcceptsBothSpellingsOfTheConstants) {
  EXPECT_EQ(Eval("true and True and not false and null is None"), json::value(true));
}

TEST(Predicate, AnUnknownNameIsRefusedWithTheNearestOne) {
  EXPECT_EQ(CompileError("p_fsat > 1"), "line 1, column 1: unknown name 'p_fsat'; did you mean 'p_fast'?");
  EXPECT_EQ(CompileError("1 and task.typ"), "line 1, column 7: unknown name 'task.typ'; did you mean 'task.type'?");
}

TEST(Predicate, CountsColumnsInCodePoints) {
  EXPECT_EQ(CompileError("ΔE_est > $"), "line 1, column 10: unexpected character '$'");
}

TEST(Predicate, AGroupByItselfIsRefused) {
  EXPECT_THAT(CompileError("gpu"), HasSubstr("'gpu' is a group of values; name one of them, as in 'gpu.guard_ok'"));
}

TEST(Predicate, SyntaxErrorsSayWhatWasExpected) {
  EXPECT_EQ(CompileError("p_fast >"), "line 1, column 9: expected a value, found the end of the expression");
  EXPECT_EQ(CompileError("(p_fast"), "line 1, column 8: expected ',', found the end of the expression");
  EXPECT_EQ(CompileError("p_fast\n  s_drift"), "line 2, column 3: expected the end of the expression, found 's_drift'");
  EXPECT_EQ(CompileError("p_fast(1)"), "line 1, column 7: the language has no calls");
  EXPECT_EQ(CompileError(""), "line 1, column 1: the expression is empty");
  EXPECT_EQ(CompileError("1 if 2"), "line 1, column 7: expected 'else', found the end of the expression");
  EXPECT_EQ(CompileError("'abc"), "line 1, column 1: the text has no closing quote");
  EXPECT_EQ(CompileError("p_fast = 1"), "line 1, column 8: expected the end of the expression, found '='");
}

TEST(Predicate, IntegerOverflowIsAnErrorAndNotAWrongNumber) {
  for (const auto* source :
       {"9223372036854775807 + 1", "-9223372036854775807 - 2", "9223372036854775807 * 2", "2 ** 63", "10.0 ** 400",
        "(-9223372036854775807 - 1) // -1", "-(-9223372036854775807 - 1)"}) {
    EXPECT_THAT(std::string(Eval(source).as_string()), HasSubstr("out of range")) << source;
  }
  EXPECT_EQ(Eval("(-9223372036854775807 - 1) % -1"), json::value(0));
}

TEST(Predicate, TextEscapesAreDecoded) { EXPECT_EQ(Eval(R"('a\'\x41\u0394\n')"), json::value("a'AΔ\n")); }

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(PredicateBomb, DeepNestingIsRefusedByTheCompiler) {
  for (const auto* open : {"(", "[", "{1:", "not ", "-", "1 if 1 else ", "2 ** ", "p_fast["}) {
    EXPECT_THAT(CompileError(Repeat(open, 300)), HasSubstr("nested more than 64 levels deep")) << open;
  }
  EXPECT_THAT(CompileError("1" + Repeat("+1", 300)), HasSubstr("nested more than 64 levels deep"));
  EXPECT_THAT(CompileError("doc" + Repeat(".a", 300)), HasSubstr("unknown name"));
}

TEST(PredicateBomb, LongExpressionsAreRefusedByTheCompiler) {
  EXPECT_THAT(CompileError(Repeat("1 or ", 1000) + "1"), HasSubstr("5001 bytes long"));
  EXPECT_THAT(CompileError("[" + Repeat("1,", 2000) + "]"), HasSubstr("more than 1000 parts"));
}

TEST(PredicateBomb, GrowthIsStoppedByTheEvaluator) {
  EXPECT_THAT(std::string(Eval("'abcdefghij' * 1000000000").as_string()), HasSubstr("too large"));
  EXPECT_THAT(std::string(Eval("[0] * 4000 * 4000").as_string()), HasSubstr("too large"));
  EXPECT_THAT(std::string(Eval("[[0] * 4000] * 1000 == [[0] * 4000] * 1000").as_string()), HasSubstr("too many steps"));
  EXPECT_THAT(std::string(Eval("[[[[0] * 99] * 99] * 99] * 99 == [[[[0] * 99] * 99] * 99] * 99").as_string()),
              HasSubstr("too many steps"));
  EXPECT_THAT(std::string(Eval("('a' * 60000 + 'b') in ('a' * 65000)").as_string()), HasSubstr("too many steps"));
}

TEST(Predicate, OneProgramIsEvaluatedByManyThreadsAtOnce) {
  const auto predicate = Predicate::Compile("task.type + '!' in ['a' + '!', 'b!'] and p_fast * 2 == 1.5", Symbols());
  ASSERT_TRUE(predicate);
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<Value> slots(Symbols().size());
      slots[0] = Value::Float(0.75);
      slots[3] = Value::String(t % 2 == 0 ? "a" : "c");
      for (int i = 0; i < 1000; ++i) wrong += predicate->Evaluate(slots) != (t % 2 == 0);
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace seedcore::coordinator
