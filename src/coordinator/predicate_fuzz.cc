#include <cstddef>
#include <cstdint>

#include "coordinator/predicate.h"

/// Any text compiles or is refused with a place, and what compiles evaluates within its budget.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace seedcore;
  static const coordinator::SymbolTable symbols({"p", "n", "s", "task.type", "task.features", "null_value"});
  static const json::value features = *ParseJson(R"({"a":[1,2,{"b":"x"}],"b":{"c":null},"s":"déjà"})");
  const std::vector<coordinator::Value> slots = {
      coordinator::Value::Float(0.5),        coordinator::Value::Int(-7),      coordinator::Value::String("Δ text"),
      coordinator::Value::String("execute"), coordinator::Value::Of(features), coordinator::Value()};
  const std::string source(reinterpret_cast<const char*>(data), size);
  const auto predicate = coordinator::Predicate::Compile(source, symbols);
  if (!predicate) return predicate.error().message.empty() ? (__builtin_trap(), 0) : 0;
  const auto truth = predicate->Evaluate(slots);
  const auto value = predicate->EvaluateValue(slots);
  if (truth.has_value() != value.has_value()) __builtin_trap();
  if (value) static_cast<void>(WriteJson(*value));
  return 0;
}
