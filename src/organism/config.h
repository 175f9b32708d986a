#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seedcore::organism {

struct OrganConfig {
  std::string id;    ///< lower-case letters, digits and _, 1 to 64
  std::string type;  ///< Cognitive, Actuator, Utility, ...: decides the agents' role prior
  std::string description;
  int agent_count = 2;                  ///< 1..64; agents are called {id}_agent_{i}, i from 0
  int agent_concurrency = 8;            ///< 1..256 executions at a time per agent
  std::vector<std::string> task_types;  ///< routed here unless a stored rule says otherwise
};

struct OrganismConfig {
  std::vector<OrganConfig> organs;  ///< 1..64
  std::string default_organ;        ///< for task types that have an executor but no rule
};

/// Reads the YAML of config/organism.yaml. kInvalidArgument names the key; an unknown key is an error with the nearest
/// known one, two organs with the same id or the same task type are errors.
[[nodiscard]] Result<OrganismConfig> ParseOrganismConfig(std::string_view yaml);

/// The text of config/organism.yaml as shipped, for when no file is given.
[[nodiscard]] std::string_view DefaultOrganismYaml();
[[nodiscard]] OrganismConfig DefaultOrganismConfig();

/// Default routing made from `task_types`.
[[nodiscard]] std::map<std::string, std::string> DefaultRoutes(const OrganismConfig& config);

}  // namespace seedcore::organism
