#include "ray/serve_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/strings.h"

namespace seedcore::ray {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxNodes = 100'000;  // what aliases may blow a document up to
constexpr int kMaxDepth = 40;

std::unexpected<Error> FailAt(const YAML::Node& node, std::string_view message) {
  return Fail(ErrorCode::kMalformed, fmt::format("line {}: {}", node.Mark().line + 1, message));
}

/// YAML as PyYAML's safe loader reads it, which is what `serve deploy` uses.
class Converter {
 public:
  Result<json::value> Convert(const YAML::Node& node, int depth = 0) {
    if (depth > kMaxDepth) return FailAt(node, "nested too deeply");
    if (++nodes_ > kMaxNodes) return FailAt(node, "too large");
    if (node.IsMap()) return Mapping(node, depth);
    if (node.IsSequence()) {
      json::array array;
      for (const YAML::Node& element : node) {
        SEEDCORE_ASSIGN_OR_RETURN(json::value value, Convert(element, depth + 1));
        array.push_back(std::move(value));
      }
      return array;
    }
    if (!node.IsScalar()) return json::value();
    return Scalar(node);
  }

 private:
  Result<json::value> Mapping(const YAML::Node& node, int depth) {
    json::object object;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) return FailAt(member.first, "a key must be a plain word");
      const std::string& key = member.first.Scalar();
      if (key == "<<") return FailAt(member.first, "merge keys are not supported");
      if (object.contains(key)) return FailAt(member.first, fmt::format("`{}` is there twice", key));
      SEEDCORE_ASSIGN_OR_RETURN(json::value value, Convert(member.second, depth + 1));
      object[key] = std::move(value);
    }
    return object;
  }

  static Result<json::value> Scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!") return json::value(text);  // quoted
    const std::string lower = ToLower(text);
    if (lower.empty() || lower == "~" || lower == "null") return json::value();
    static constexpr std::array kTrue{"yes", "on", "true"};
    static constexpr std::array kFalse{"no", "off", "false"};
    if (std::ranges::find(kTrue, lower) != kTrue.end()) return json::value(true);
    if (std::ranges::find(kFalse, lower) != kFalse.end()) return json::value(false);
    return Number(node, text);
  }

  static Result<json::value> Number(const YAML::Node& node, const std::string& text) {
    const bool is_signed = text.front() == '-' || text.front() == '+';
    const std::string_view digits = std::string_view(text).substr(is_signed ? 1 : 0);
    const bool numeric = !digits.empty() &&
                         digits.find_first_not_of("0123456789_.:eE+-xXoObBaAcCdDfF") == digits.npos &&
                         (std::isdigit(static_cast<unsigned char>(digits.front())) != 0 || digits.front() == '.');
    if (!numeric) return json::value(text);
    const char* const begin = text.data() + (text.front() == '+' ? 1 : 0);
    const char* const end = text.data() + text.size();
    std::int64_t integer = 0;
    if (const auto read = std::from_chars(begin, end, integer); read.ec == std::errc{} && read.ptr == end) {
      if (digits.size() > 1 && digits.front() == '0')
        return FailAt(node, fmt::format("`{}`: octal to some; write it without the 0 or in quotes", text));
      return json::value(integer);
    }
    double real = 0.0;
    if (const auto read = std::from_chars(begin, end, real);
        read.ec == std::errc{} && read.ptr == end && std::isfinite(real)) {
      return json::value(real);
    }
    const bool only_in_old_yaml = digits.find_first_not_of("0123456789_:") == digits.npos || digits.starts_with("0x") ||
                                  digits.starts_with("0o") || digits.starts_with("0b");
    if (only_in_old_yaml)
      return FailAt(node,
                    fmt::format("`{}`: a number in some versions of YAML; write it in decimals or in quotes", text));
    return json::value(text);  // a version, an address: 2.60.0, 10.0.0.1
  }

  std::size_t nodes_ = 0;
};

Result<void> CheckApplications(const json::object& config) {
  const json::value* found = config.if_contains("applications");
  const json::array* applications = found == nullptr ? nullptr : found->if_array();
  if (applications == nullptr || applications->empty()) {
    return Fail(ErrorCode::kInvalidArgument, "expected a list of at least one application", "applications");
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < applications->size(); ++i) {
    const std::string path = fmt::format("applications[{}]", i);
    const json::object* application = (*applications)[i].if_object();
    const json::value* name = application == nullptr ? nullptr : application->if_contains("name");
    if (name == nullptr || !name->is_string() || name->get_string().empty()) {
      return Fail(ErrorCode::kInvalidArgument, "expected an application with a name", path);
    }
    if (!names.emplace(name->get_string()).second) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is there twice", std::string_view(name->get_string())),
                  path);
    }
  }
  return {};
}

/// What took the place of a key that Serve no longer knows.
std::string Replacement(std::string_view path) {
  static const std::map<std::string_view, std::string_view, std::less<>> kReplacements{
      {"http_options.location", "proxy_location"},
      {"target_num_ongoing_requests_per_replica", "target_ongoing_requests"},
      {"max_concurrent_queries", "max_ongoing_requests"},
      {"max_concurrent_queries_per_replica", "max_ongoing_requests"}};
  const auto whole = kReplacements.find(path);
  const auto last = whole != kReplacements.end() ? whole : kReplacements.find(path.substr(path.rfind('.') + 1));
  return last == kReplacements.end() ? "" : fmt::format("; {} is the key", last->second);
}

bool SameValue(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return JsonToDouble(a) == JsonToDouble(b);
  return a == b;
}

class Comparison {
 public:
  /// Members of `asked` that `effective` lacks or has otherwise. Free-form values are compared whole.
  void Compare(const std::string& path, const json::object& asked, const json::object& effective) {
    for (const auto& member : asked) {
      const std::string name = (path.empty() ? "" : path + ".") + std::string(member.key());
      const json::value* found = effective.if_contains(member.key());
      if (found == nullptr) {
        lines.push_back(fmt::format("{}: ignored by Serve{}", name, Replacement(name)));
      } else if (member.value().is_object() && found->is_object() && !IsFreeForm(member.key())) {
        Compare(name, member.value().get_object(), found->get_object());
      } else if (!member.value().is_null() && !SameValue(member.value(), *found)) {
        lines.push_back(fmt::format("{}: {} in effect, not {}", name, WriteJson(*found), WriteJson(member.value())));
      }
    }
  }

  std::vector<std::string> lines;

 private:
  static bool IsFreeForm(std::string_view key) {
    static constexpr std::array<std::string_view, 5> kFreeForm{"user_config", "args", "runtime_env", "resources",
                                                               "env_vars"};
    return std::ranges::find(kFreeForm, key) != kFreeForm.end();
  }
};

const json::array* ArrayMember(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found == nullptr ? nullptr : found->if_array();
}

std::string NameOf(const json::value& item) {
  const json::object* object = item.if_object();
  const json::value* name = object == nullptr ? nullptr : object->if_contains("name");
  return name != nullptr && name->is_string() ? std::string(name->get_string()) : std::string();
}

/// Without the members that are compared elsewhere, or that Serve rewrites (a runtime_env becomes its packed form).
json::object Without(json::object object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) object.erase(key);
  return object;
}

void CompareApplication(const json::object& asked, const ApplicationInfo& info, Comparison& comparison) {
  const std::string path = "applications." + NameOf(asked);
  comparison.Compare(path, Without(asked, {"deployments", "args", "runtime_env"}), info.deployed_app_config);
  const json::array* deployments = ArrayMember(asked, "deployments");
  if (deployments == nullptr) return;
  for (const json::value& deployment : *deployments) {
    const std::string name = NameOf(deployment);
    const auto found = info.deployments.find(name);
    if (found == info.deployments.end()) continue;
    json::object effective = found->second.deployment_config;
    // A deployment that scales itself reports how many replicas it may have, not how many were asked for.
    json::object wanted = Without(deployment.as_object(), {"runtime_env"});
    if (const json::value* count = wanted.if_contains("num_replicas"); count != nullptr && count->is_string())
      wanted.erase("num_replicas");
    if (json::value* options = wanted.if_contains("ray_actor_options"); options != nullptr && options->is_object()) {
      options->get_object().erase("runtime_env");
    }
    comparison.Compare(path + "." + name, wanted, effective);
  }
}

}  // namespace

Result<json::object> ParseServeConfig(std::string_view text) {
  if (text.size() > kMaxBytes) return Fail(ErrorCode::kMalformed, fmt::format("larger than {} bytes", kMaxBytes));
  try {
    SEEDCORE_ASSIGN_OR_RETURN(json::value document, Converter().Convert(YAML::Load(std::string(text))));
    if (!document.is_object()) return Fail(ErrorCode::kMalformed, "expected a mapping with `applications`");
    SEEDCORE_RETURN_IF_ERROR(CheckApplications(document.get_object()));
    return std::move(document.get_object());
  } catch (const YAML::Exception& error) {
    return Fail(ErrorCode::kMalformed, fmt::format("line {}: {}", error.mark.line + 1, error.msg));
  }
}

std::vector<std::string> ApplicationNames(const json::object& config) {
  std::vector<std::string> names;
  if (const json::array* applications = ArrayMember(config, "applications")) {
    for (const json::value& application : *applications) names.push_back(NameOf(application));
  }
  return names;
}

std::vector<std::string> IgnoredKeys(const json::object& config, const ServeInfo& info) {
  Comparison comparison;
  json::object effective{{"applications", nullptr},           {"proxy_location", info.proxy_location},
                         {"http_options", info.http_options}, {"grpc_options", info.grpc_options},
                         {"logging_config", nullptr},         {"target_capacity", nullptr}};
  comparison.Compare("", Without(config, {"applications", "logging_config", "target_capacity"}), effective);
  if (const json::array* applications = ArrayMember(config, "applications")) {
    for (const json::value& application : *applications) {
      const auto found = info.applications.find(NameOf(application));
      if (found != info.applications.end()) CompareApplication(application.as_object(), found->second, comparison);
    }
  }
  return std::move(comparison.lines);
}

}  // namespace seedcore::ray
