#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"

// For tests of several rooms.
namespace seedcore::test {

/// The lines of `path`, one JSON value each, as programs in testdata/ write them; none when there is no such file.
/// Throws std::runtime_error for a line that is no JSON.
inline std::vector<json::value> ReadJsonLines(const std::string& path) {
  std::ifstream file(path);
  std::vector<json::value> values;
  for (std::string line; std::getline(file, line);) {
    auto value = ParseJson(line);
    if (!value) throw std::runtime_error(path + ": " + ToString(value.error()));
    values.push_back(std::move(*value));
  }
  return values;
}

/// A folder of its own, gone at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "seedcore-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder: " + pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// The path of a file in it.
  [[nodiscard]] std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Waits until `holds()`. The work of other threads takes real time even where the clock is simulated; the limit is
/// only there to end a test that fails.
template <class Predicate>
[[nodiscard]] bool Eventually(const Predicate& holds) {
  Env& real = RealEnv();
  const Instant give_up = real.Now() + std::chrono::seconds(20);
  while (!holds()) {
    if (real.Now() > give_up) return false;
    real.SleepFor(std::chrono::microseconds(200), {});
  }
  return true;
}

}  // namespace seedcore::test
