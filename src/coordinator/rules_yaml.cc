#include <algorithm>
#include <cstdint>
#include <span>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/json_binding.h"
#include "base/strings.h"
#include "coordinator/rule_context.h"
#include "coordinator/rules.h"

namespace seedcore::coordinator {
namespace {

constexpr std::size_t kMaxFile = 256 * 1024;
constexpr std::size_t kMaxRules = 1000;
constexpr int kMaxPriority = 1'000'000;

/// FNV-1a: tells one version of a file from another; not for security.
std::string HashOf(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return fmt::format("{:016x}", hash);
}

class Reader {
 public:
  explicit Reader(const std::string& source) : source_(source) {}

  Result<RuleSet> Read(const YAML::Node& root) {
    RuleSet rules;
    constexpr std::array<std::string_view, 9> kKeys = {"routing",           "mutations",       "gpu_guard",
                                                       "metadata",          "routing_enabled", "mutations_enabled",
                                                       "gpu_guard_enabled", "fallback",        "alerts"};
    SEEDCORE_RETURN_IF_ERROR(CheckKeys(root, "the file", kKeys));
    SEEDCORE_RETURN_IF_ERROR(ReadBool(root, "routing_enabled", rules.routing_enabled));
    SEEDCORE_RETURN_IF_ERROR(ReadBool(root, "mutations_enabled", rules.mutations_enabled));
    SEEDCORE_RETURN_IF_ERROR(ReadBool(root, "gpu_guard_enabled", rules.gpu_guard_enabled));
    SEEDCORE_RETURN_IF_ERROR(ReadRules(root, "routing", rules.routing));
    // An installation that never tunes has no use for mutation rules.
    if (rules.mutations_enabled || root["mutations"]) {
      SEEDCORE_RETURN_IF_ERROR(ReadRules(root, "mutations", rules.mutations, !rules.mutations_enabled));
    }
    SEEDCORE_RETURN_IF_ERROR(ReadGpuGuard(root["gpu_guard"], rules.gpu_guard));
    SEEDCORE_RETURN_IF_ERROR(ReadMetadata(root["metadata"], rules.metadata));
    SEEDCORE_RETURN_IF_ERROR(ReadFallback(root["fallback"], rules));
    std::size_t budget = 1000;
    SEEDCORE_ASSIGN_OR_RETURN(rules.alerts, ToJson(root["alerts"], budget));
    return rules;
  }

  std::unexpected<Error> FailAtLine(int line, std::string message, ErrorCode code = ErrorCode::kInvalidArgument) {
    return Fail(code, std::move(message), fmt::format("{}:{}", source_, line));
  }

 private:
  static int LineOf(const YAML::Node& node) { return std::max(node.Mark().line, 0) + 1; }  // an empty file has no mark
  std::unexpected<Error> FailNode(const YAML::Node& node, std::string message) {
    return FailAtLine(LineOf(node), std::move(message));
  }

  /// `node` is a mapping whose keys are all known, each once.
  Result<void> CheckKeys(const YAML::Node& node, std::string_view what, std::span<const std::string_view> known) {
    if (!node.IsMap()) return FailNode(node, fmt::format("{} must be a mapping of keys to values", what));
    std::vector<std::string> seen;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) return FailNode(member.first, fmt::format("{} has a key that is no text", what));
      const std::string& key = member.first.Scalar();
      if (std::ranges::find(known, key) == known.end()) {
        const auto nearest = NearestName(key, known);
        return FailNode(member.first, fmt::format("{} has an unknown key '{}'{}", what, key.substr(0, 80),
                                                  nearest ? fmt::format("; did you mean '{}'?", *nearest) : ""));
      }
      if (std::ranges::find(seen, key) != seen.end()) {
        return FailNode(member.first, fmt::format("{} has the key '{}' twice", what, key));
      }
      seen.push_back(key);
    }
    return {};
  }

  Result<void> ReadBool(const YAML::Node& parent, const char* key, bool& out) {
    const YAML::Node node = parent[key];
    if (!node) return {};
    if (YAML::convert<bool>::decode(node, out)) return {};
    return FailNode(node, fmt::format("'{}' must be true or false", key));
  }

  template <class Number>
  Result<void> ReadNumber(const YAML::Node& parent, const char* key, double low, double high, Number& out) {
    const YAML::Node node = parent[key];
    if (!node) return {};
    Number value{};
    if (!YAML::convert<Number>::decode(node, value) || !(static_cast<double>(value) >= low) ||
        !(static_cast<double>(value) <= high)) {
      return FailNode(node, fmt::format("'{}' must be a number between {} and {}", key, low, high));
    }
    out = value;
    return {};
  }

  template <class Action>
  Result<void> ReadRules(const YAML::Node& root, const char* key, std::vector<Rule<Action>>& out,
                         bool may_be_empty = false) {
    const YAML::Node list = root[key];
    if (!list || list.IsNull()) return FailAtLine(1, fmt::format("'{}' is missing", key));
    if (!list.IsSequence()) return FailNode(list, fmt::format("'{}' must be a list of rules", key));
    if (list.size() == 0 && !may_be_empty) return FailNode(list, fmt::format("'{}' needs at least one rule", key));
    if (list.size() > kMaxRules) return FailNode(list, fmt::format("'{}' has more than {} rules", key, kMaxRules));
    for (std::size_t i = 0; i < list.size(); ++i) {
      SEEDCORE_ASSIGN_OR_RETURN(Rule<Action> rule, ReadRule<Action>(list[i], fmt::format("{}[{}]", key, i)));
      // After those of the same priority: they keep the order of the file.
      const auto place = std::ranges::upper_bound(out, rule.priority, std::ranges::greater(), &Rule<Action>::priority);
      out.insert(place, std::move(rule));
    }
    return {};
  }

  template <class Action>
  Result<Rule<Action>> ReadRule(const YAML::Node& node, std::string name) {
    constexpr std::array<std::string_view, 4> kKeys = {"when", "do", "priority", "description"};
    SEEDCORE_RETURN_IF_ERROR(CheckKeys(node, name, kKeys));
    std::string description;
    if (const YAML::Node text = node["description"]; text && !text.IsNull()) {
      if (!text.IsScalar()) return FailNode(text, fmt::format("{}: 'description' must be a text", name));
      description = text.Scalar();
      name += fmt::format(" (\"{}\")", description.substr(0, 80));
    }
    const YAML::Node when = node["when"];
    if (!when || !when.IsScalar()) return FailNode(node, fmt::format("{}: 'when' must be an expression", name));
    auto predicate = Predicate::Compile(when.Scalar(), RuleSymbols());
    if (!predicate) return FailNode(when, fmt::format("{}: 'when': {}", name, predicate.error().message));

    Rule<Action> rule{.when = std::move(*predicate), .description = std::move(description), .line = LineOf(node)};
    if (rule.description.empty()) rule.description = rule.when.source();
    SEEDCORE_RETURN_IF_ERROR(ReadAction(node["do"], node, name, rule));
    if (auto read = ReadNumber(node, "priority", -kMaxPriority, kMaxPriority, rule.priority); !read) {
      return FailAtLine(LineOf(node["priority"]), fmt::format("{}: {}", name, read.error().message));
    }
    return rule;
  }

  template <class Action>
  Result<void> ReadAction(const YAML::Node& node, const YAML::Node& rule_node, const std::string& name,
                          Rule<Action>& rule) {
    if (!node || !node.IsScalar()) return FailNode(rule_node, fmt::format("{}: 'do' must name an action", name));
    const std::string& text = node.Scalar();
    const std::size_t colon = text.find(':');
    SEEDCORE_ASSIGN_OR_RETURN(rule.action, ParseAction<Action>(node, name, text.substr(0, colon)));
    if (colon == std::string::npos) return {};
    rule.organ = Trim(std::string_view(text).substr(colon + 1));
    bool takes_organ = false;
    if constexpr (std::same_as<Action, RouteAction>) takes_organ = rule.action == RouteAction::kFastPath;
    if (!takes_organ)
      return FailNode(node, fmt::format("{}: only fast_path takes an organ, as in fast_path:ORGAN", name));
    if (rule.organ.empty()) return FailNode(node, fmt::format("{}: an organ is missing after '{}'", name, text));
    return {};
  }

  template <class Action>
  Result<Action> ParseAction(const YAML::Node& node, std::string_view name, const std::string& text) {
    if (const auto action = EnumFromString<Action>(text)) return *action;
    std::string known;
    for (const auto& [enumerator, word] : EnumNames(Action{})) {
      if (!known.empty()) known += ", ";
      known += word;
    }
    return FailNode(node, fmt::format("{}: unknown action '{}'; known are {}", name, text.substr(0, 80), known));
  }

  Result<void> ReadGpuGuard(const YAML::Node& node, GpuGuardRules& out) {
    if (!node || node.IsNull()) return {};
    constexpr std::array<std::string_view, 4> kKeys = {"max_concurrent", "daily_budget_hours", "cooldown_minutes",
                                                       "queue_timeout_minutes"};
    SEEDCORE_RETURN_IF_ERROR(CheckKeys(node, "gpu_guard", kKeys));
    SEEDCORE_RETURN_IF_ERROR(ReadNumber(node, "max_concurrent", 1, 10'000, out.max_concurrent));
    SEEDCORE_RETURN_IF_ERROR(ReadNumber(node, "daily_budget_hours", 0, 24, out.daily_budget_hours));
    if (out.daily_budget_hours <= 0) return FailNode(node, "'daily_budget_hours' must be above 0");
    SEEDCORE_RETURN_IF_ERROR(ReadNumber(node, "cooldown_minutes", 0, 100'000, out.cooldown_minutes));
    return ReadNumber(node, "queue_timeout_minutes", 0, 100'000, out.queue_timeout_minutes);
  }

  Result<void> ReadMetadata(const YAML::Node& node, json::object& out) {
    if (!node || node.IsNull()) return {};
    constexpr std::array<std::string_view, 4> kKeys = {"version", "commit", "created_at", "description"};
    SEEDCORE_RETURN_IF_ERROR(CheckKeys(node, "metadata", kKeys));
    for (const auto& member : node) {
      if (!member.second.IsScalar()) return FailNode(member.second, "metadata holds texts only");
      out[member.first.Scalar()] = member.second.Scalar();
    }
    return {};
  }

  Result<void> ReadFallback(const YAML::Node& node, RuleSet& rules) {
    if (!node || node.IsNull()) return {};
    constexpr std::array<std::string_view, 2> kKeys = {"routing", "mutation"};
    SEEDCORE_RETURN_IF_ERROR(CheckKeys(node, "fallback", kKeys));
    if (const YAML::Node routing = node["routing"]) {
      if (!routing.IsScalar()) return FailNode(routing, "fallback: 'routing' must name an action");
      SEEDCORE_ASSIGN_OR_RETURN(rules.fallback_routing,
                                ParseAction<RouteAction>(routing, "fallback", routing.Scalar()));
    }
    if (const YAML::Node mutation = node["mutation"]) {
      if (!mutation.IsScalar()) return FailNode(mutation, "fallback: 'mutation' must name an action");
      SEEDCORE_ASSIGN_OR_RETURN(rules.fallback_mutation,
                                ParseAction<MutationAction>(mutation, "fallback", mutation.Scalar()));
    }
    return {};
  }

  /// Free-form YAML as JSON texts. `budget` bounds what aliases can blow up.
  Result<json::value> ToJson(const YAML::Node& node, std::size_t& budget) {
    if (!node || node.IsNull()) return nullptr;
    if (budget == 0) return FailNode(node, "'alerts' is too large");
    --budget;
    if (node.IsScalar()) return json::string(node.Scalar());
    if (node.IsSequence()) {
      json::array array;
      for (const YAML::Node& element : node) {
        SEEDCORE_ASSIGN_OR_RETURN(json::value value, ToJson(element, budget));
        array.push_back(std::move(value));
      }
      return array;
    }
    json::object object;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) return FailNode(member.first, "'alerts' has a key that is no text");
      SEEDCORE_ASSIGN_OR_RETURN(object[member.first.Scalar()], ToJson(member.second, budget));
    }
    return object;
  }

  const std::string& source_;
};

}  // namespace

Result<RuleSet> ParseRules(std::string_view yaml, const std::string& source) {
  Reader reader(source);
  if (yaml.size() > kMaxFile) {
    return reader.FailAtLine(1, fmt::format("the file has {} bytes; at most {} are allowed", yaml.size(), kMaxFile));
  }
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    SEEDCORE_ASSIGN_OR_RETURN(RuleSet rules, reader.Read(root));
    rules.source = source;
    rules.hash = HashOf(yaml);
    return rules;
  } catch (const YAML::Exception& error) {
    return reader.FailAtLine(error.mark.line + 1, error.msg, ErrorCode::kMalformed);
  }
}

}  // namespace seedcore::coordinator
