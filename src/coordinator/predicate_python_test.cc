#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "base/testing.h"
#include "coordinator/predicate.h"

namespace seedcore::coordinator {
namespace {

/// Equal as Python's == would say, except that numbers may differ in the last digit of a power.
bool Same(const json::value& a, const json::value& b) {
  const auto number = [](const json::value& value) { return value.is_bool() ? false : value.is_number(); };
  if (number(a) && number(b)) {
    const double x = JsonToDouble(a);
    const double y = JsonToDouble(b);
    return std::abs(x - y) <= 1e-14 * std::max(std::abs(x), std::abs(y));
  }
  if (a.is_array() && b.is_array()) {
    if (a.get_array().size() != b.get_array().size()) return false;
    for (std::size_t i = 0; i < a.get_array().size(); ++i) {
      if (!Same(a.get_array()[i], b.get_array()[i])) return false;
    }
    return true;
  }
  return a == b;
}

// The table is made by testdata/make_predicate_table.py.
TEST(PredicateLanguage, AgreesWithPythonOnFifteenHundredRandomExpressions) {
  const json::value items = json::array{1, 2.5, "x", nullptr};
  const json::value doc = *ParseJson(R"({"a":1,"b":{"c":[1,"x"]},"s":"text"})");
  const SymbolTable symbols({"p", "n", "m", "zero", "kind", "word", "nothing", "yes", "items", "doc"});
  const std::vector<Value> slots = {Value::Float(0.75),       Value::Int(7),        Value::Int(-3), Value::Int(0),
                                    Value::String("execute"), Value::String("dΔß"), Value(),        Value::Bool(true),
                                    Value::Of(items),         Value::Of(doc)};
  const auto table =
      test::ReadJsonLines(std::string(SEEDCORE_SOURCE_DIR) + "/src/coordinator/testdata/predicate_table.jsonl");
  for (const json::value& expected : table) {
    const std::string line = WriteJson(expected);
    const std::string source(expected.at("e").as_string());
    const auto predicate = Predicate::Compile(source, symbols);
    ASSERT_TRUE(predicate) << source << "\n" << ToString(predicate.error());
    const auto value = predicate->EvaluateValue(slots);
    if (expected.as_object().contains("error")) {
      EXPECT_FALSE(value) << source << "\nPython raises, here " << WriteJson(*value);
    } else if (!value) {
      ADD_FAILURE() << source << "\nPython: " << line << "\nhere: " << value.error().ToString();
    } else {
      EXPECT_TRUE(Same(*value, expected.at("v"))) << source << "\nPython: " << line << "\nhere: " << WriteJson(*value);
    }
  }
  EXPECT_EQ(table.size(), 1500U);
}

}  // namespace
}  // namespace seedcore::coordinator
