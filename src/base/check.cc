#include "base/check.h"

#include <cstdlib>

#include <fmt/format.h>

namespace seedcore {

void CheckFailed(std::string_view condition, std::string_view why, const char* file, int line) {
  fmt::print(stderr, "{}:{}: check failed: {}: {}\n", file, line, condition, why);
  std::abort();
}

}  // namespace seedcore
