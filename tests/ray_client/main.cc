#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "suite.h"

namespace seedcore::testing {

std::string RayProgram() {
  const char* given = std::getenv("SEEDCORE_RAY");
  return given != nullptr ? given : SEEDCORE_DEFAULT_RAY;
}

}  // namespace seedcore::testing

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  ::testing::InitGoogleTest(&argc, argv);
  const std::string ray = seedcore::testing::RayProgram();
  if (!std::filesystem::exists(ray)) {
    fmt::print("no Ray at {}; run `make ray`, or set SEEDCORE_RAY\n", ray);
    return std::getenv("REQUIRE_RAY") != nullptr ? 1 : kSkipped;
  }
  return RUN_ALL_TESTS();
}
