#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

}  // namespace seedcore::test
