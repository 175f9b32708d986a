#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "organism/calc.h"

/// Whatever the text, the calculator answers with a finite number or an error, and its answer reads back as itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = seedcore::organism::Evaluate(text);
  (void)seedcore::organism::IsComputation(text);
  if (!value) return 0;
  if (!std::isfinite(value->ToDouble())) std::abort();
  const auto again = seedcore::organism::Evaluate(value->ToString());
  if (!again) std::abort();
  if (value->PrintsExactly() && again->ToString() != value->ToString()) std::abort();
  return 0;
}
