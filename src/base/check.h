#pragma once

#include <string_view>

namespace seedcore {

/// Logs the broken promise with its place and aborts. Never returns.
[[noreturn]] void CheckFailed(std::string_view condition, std::string_view why, const char* file, int line);

}  // namespace seedcore

/// A promise of our own code, checked in release builds too. User input never reaches one.
#define SEEDCORE_CHECK(condition, why)                              \
  do {                                                              \
    if (!(condition)) [[unlikely]] {                                \
      ::seedcore::CheckFailed(#condition, why, __FILE__, __LINE__); \
    }                                                               \
  } while (false)
