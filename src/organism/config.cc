#include "organism/config.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/check.h"
#include "base/strings.h"

namespace seedcore::organism {
namespace {

constexpr std::size_t kMaxOrgans = 64;
constexpr std::size_t kMaxIdBytes = 64;

// Kept equal to config/organism.yaml by a test.
constexpr std::string_view kDefaultYaml =
    R"yaml(# The organism: its organs, how many agents each has, and which task types go where.
# Agents are called {id}_agent_0, {id}_agent_1, ... Two agents per organ let energy-aware selection choose.
seedcore:
  organism:
    # Gets task types that can be executed but are listed nowhere below.
    default_organ: utility_organ_1
    organ_types:
      - id: cognitive_organ_1
        type: Cognitive
        description: Reasoning about incidents and series
        agent_count: 2
        # Executions at a time per agent; further tasks wait for a free agent.
        agent_concurrency: 8
        task_types: [anomaly_triage]
      - id: actuator_organ_1
        type: Actuator
        description: Tools and webhooks
        agent_count: 2
        agent_concurrency: 8
        task_types: [execute]
      - id: utility_organ_1
        type: Utility
        description: Questions, health checks and facts
        agent_count: 2
        agent_concurrency: 8
        task_types: [general_query, health_check, fact_search, fact_store]
)yaml";

std::unexpected<Error> Bad(const std::string& path, std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), path);
}

Result<void> CheckKeys(const YAML::Node& node, const std::string& path, std::initializer_list<std::string_view> known) {
  if (!node.IsMap()) return Bad(path, "expected a map");
  for (const auto& member : node) {
    const std::string key = member.first.as<std::string>();
    if (std::ranges::find(known, key) != known.end()) continue;
    const auto nearest = NearestName(key, std::span(known.begin(), known.size()));
    return Bad(fmt::format("{}.{}", path, key),
               nearest ? fmt::format("unknown key; did you mean {}?", *nearest) : std::string("unknown key"));
  }
  return {};
}

Result<std::string> ReadText(const YAML::Node& node, const std::string& path, std::string fallback) {
  if (!node) return fallback;
  if (!node.IsScalar()) return Bad(path, "expected a text");
  return node.as<std::string>();
}

Result<int> ReadInt(const YAML::Node& node, const std::string& path, int min, int max, int fallback) {
  if (!node) return fallback;
  int value = 0;
  if (!node.IsScalar() || !YAML::convert<int>::decode(node, value) || value < min || value > max) {
    return Bad(path, fmt::format("expected an integer from {} to {}", min, max));
  }
  return value;
}

bool IsId(std::string_view id) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !id.empty() && id.size() <= kMaxIdBytes && std::ranges::all_of(id, allowed);
}

Result<OrganConfig> ReadOrgan(const YAML::Node& node, const std::string& path) {
  SEEDCORE_RETURN_IF_ERROR(
      CheckKeys(node, path, {"id", "type", "description", "agent_count", "agent_concurrency", "task_types"}));
  OrganConfig organ;
  SEEDCORE_ASSIGN_OR_RETURN(organ.id, ReadText(node["id"], path + ".id", ""));
  if (!IsId(organ.id)) return Bad(path + ".id", "expected 1 to 64 lower-case letters, digits and underscores");
  SEEDCORE_ASSIGN_OR_RETURN(organ.type, ReadText(node["type"], path + ".type", ""));
  if (organ.type.empty()) return Bad(path + ".type", "required, but missing");
  SEEDCORE_ASSIGN_OR_RETURN(organ.description, ReadText(node["description"], path + ".description", ""));
  SEEDCORE_ASSIGN_OR_RETURN(organ.agent_count, ReadInt(node["agent_count"], path + ".agent_count", 1, 64, 2));
  SEEDCORE_ASSIGN_OR_RETURN(organ.agent_concurrency,
                            ReadInt(node["agent_concurrency"], path + ".agent_concurrency", 1, 256, 8));
  const YAML::Node types = node["task_types"];
  if (types && !types.IsSequence()) return Bad(path + ".task_types", "expected a list");
  for (std::size_t i = 0; types && i < types.size(); ++i) {
    const std::string type_path = fmt::format("{}.task_types[{}]", path, i);
    SEEDCORE_ASSIGN_OR_RETURN(std::string type, ReadText(types[i], type_path, ""));
    if (!IsId(type)) return Bad(type_path, "expected 1 to 64 lower-case letters, digits and underscores");
    organ.task_types.push_back(std::move(type));
  }
  return organ;
}

Result<void> CheckWhole(const OrganismConfig& config) {
  const std::string path = "seedcore.organism";
  std::set<std::string_view> ids;
  std::set<std::string_view> types;
  for (const OrganConfig& organ : config.organs) {
    if (!ids.insert(organ.id).second) return Bad(path + ".organ_types", fmt::format("two organs called {}", organ.id));
    for (const std::string& type : organ.task_types) {
      if (types.insert(type).second) continue;
      return Bad(path + ".organ_types", fmt::format("task type {} is listed by two organs", type));
    }
  }
  if (!ids.contains(config.default_organ)) {
    return Bad(path + ".default_organ", fmt::format("'{}' is not one of the organs", config.default_organ));
  }
  return {};
}

Result<OrganismConfig> ReadConfig(const YAML::Node& root) {
  SEEDCORE_RETURN_IF_ERROR(CheckKeys(root, "$", {"seedcore"}));
  SEEDCORE_RETURN_IF_ERROR(CheckKeys(root["seedcore"], "seedcore", {"organism"}));
  const std::string path = "seedcore.organism";
  const YAML::Node node = root["seedcore"]["organism"];
  SEEDCORE_RETURN_IF_ERROR(CheckKeys(node, path, {"default_organ", "organ_types"}));
  const YAML::Node organs = node["organ_types"];
  if (!organs || !organs.IsSequence() || organs.size() == 0 || organs.size() > kMaxOrgans) {
    return Bad(path + ".organ_types", fmt::format("expected a list of 1 to {} organs", kMaxOrgans));
  }
  OrganismConfig config;
  for (std::size_t i = 0; i < organs.size(); ++i) {
    SEEDCORE_ASSIGN_OR_RETURN(auto organ, ReadOrgan(organs[i], fmt::format("{}.organ_types[{}]", path, i)));
    config.organs.push_back(std::move(organ));
  }
  SEEDCORE_ASSIGN_OR_RETURN(config.default_organ,
                            ReadText(node["default_organ"], path + ".default_organ", config.organs.back().id));
  SEEDCORE_RETURN_IF_ERROR(CheckWhole(config));
  return config;
}

}  // namespace

Result<OrganismConfig> ParseOrganismConfig(std::string_view yaml) {
  try {
    return ReadConfig(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& exception) {
    return Fail(ErrorCode::kMalformed, fmt::format("not YAML: {}", exception.what()));
  }
}

std::string_view DefaultOrganismYaml() { return kDefaultYaml; }

OrganismConfig DefaultOrganismConfig() {
  auto config = ParseOrganismConfig(kDefaultYaml);
  SEEDCORE_CHECK(config, "the shipped configuration is valid");
  return std::move(*config);
}

std::map<std::string, std::string> DefaultRoutes(const OrganismConfig& config) {
  std::map<std::string, std::string> routes;
  for (const OrganConfig& organ : config.organs) {
    for (const std::string& type : organ.task_types) routes[type] = organ.id;
  }
  return routes;
}

}  // namespace seedcore::organism
