#pragma once

#include <string>
#include <vector>

namespace seedcore::organism {

class Organism;

/// How the organism is, for status and health answers.
struct Vitals {
  bool initialized = false;
  int organs = 0;
  int agents = 0;
  int running_tasks = 0;
  int free_slots = 0;
  std::vector<std::string> problems;  ///< organs that can't reach the registry, and why
};

/// What the organism itself knows of them.
[[nodiscard]] Vitals VitalsOf(const Organism& organism);

}  // namespace seedcore::organism
