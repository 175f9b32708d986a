#include <fmt/format.h>

#include "organism/calc.h"
#include "organism/executors/executors.h"

namespace seedcore::organism {
namespace {

struct CalculateArguments {
  std::string expression;
  static constexpr auto kFields =
      Fields(Required("expression", &CalculateArguments::expression,
                      "For example 12 * (3 + 4) ^ 2; functions sqrt, abs, min, max, round, floor, ceil"));
};

}  // namespace

Tool MakeCalculateTool() {
  return {.name = "calculate",
          .doc = "Evaluates an arithmetic expression, exactly where fractions of 64-bit integers allow it.",
          .arguments_schema = ParamsSchema<CalculateArguments>(),
          .run = [](const json::object& json, const CallContext&) -> Result<ToolOutput> {
            SEEDCORE_ASSIGN_OR_RETURN(const auto arguments, FromJson<CalculateArguments>(json));
            auto value = Evaluate(arguments.expression);
            if (!value) return Fail(value.error().code, value.error().message, "expression");
            const bool exact = value->PrintsExactly();
            json::object data{{"expression", arguments.expression}, {"text", value->ToString()}, {"exact", exact}};
            data["value"] = value->IsInteger() ? json::value(value->Numerator()) : json::value(value->ToDouble());
            return ToolOutput{
                .text = fmt::format("{} {} {}", arguments.expression, exact ? "=" : "\u2248", value->ToString()),
                .data = std::move(data)};
          }};
}

}  // namespace seedcore::organism
