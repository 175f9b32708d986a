#include "ray/plan_input.h"

#include <array>
#include <fstream>
#include <unistd.h>

#include "base/strings.h"
#include "net/target.h"
#include "ray/listener_check.h"

namespace seedcore::ray {
namespace {

constexpr std::chrono::milliseconds kProbeTime{250};
constexpr std::size_t kLongestFile = 4096;

std::map<std::string, std::string> ProcessEnvironment() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

/// The beginning of a small file; nullopt when it can't be read.
std::optional<std::string> ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kLongestFile, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (!file && !file.eof())) return std::nullopt;
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::string ValueOf(const PlanInput& input, const std::string& name) {
  const auto found = input.environment.find(name);
  return found == input.environment.end() ? std::string() : std::string(Trim(found->second));
}

/// Where Ray keeps its files, found the way Ray finds it.
std::string RayFolder(const PlanInput& input) {
  for (const char* name : {"RAY_TMPDIR", "TMPDIR"}) {
    const std::string folder = ValueOf(input, name);
    if (!folder.empty()) return folder + "/ray";
  }
  return "/tmp/ray";
}

void AddSettings(const settings::Settings& settings, PlanFiles& files) {
  const std::array<std::pair<const char*, const std::string*>, 4> rows{{
      {"cluster.ray_address", &settings.cluster.ray_address},
      {"cluster.ray_namespace", &settings.cluster.ray_namespace},
      {"cluster.serve_url", &settings.cluster.serve_url},
      {"cluster.dashboard_url", &settings.cluster.dashboard_url},
  }};
  for (const auto& [name, value] : rows) {
    const auto source = settings.sources.find(name);
    if (source == settings.sources.end() || source->second.kind != settings::SourceKind::kFile) continue;
    files.settings[name] = {*value, source->second.text};
  }
}

}  // namespace

PlanInput GatherPlanInput(PlanArguments arguments, const settings::Settings& settings, Env& env) {
  PlanInput input;
  input.arguments = std::move(arguments);
  input.environment = ProcessEnvironment();
  AddSettings(settings, input.files);
  input.files.current_cluster = ReadSmallFile(RayFolder(input) + "/ray_current_cluster");
  if (const std::string path = ValueOf(input, "RAY_AUTH_TOKEN_PATH"); !path.empty())
    input.files.token = ReadSmallFile(path);
  if (const std::string home = ValueOf(input, "HOME"); !home.empty()) {
    input.files.default_token = ReadSmallFile(home + "/.ray/auth_token");
  }
  for (const std::string& address : AddressesToProbe(input)) {
    const auto where = net::ParseHostPort(address);
    if (where) input.reachable[address] = IsListening(*where, env.Now() + kProbeTime, env);
  }
  return input;
}

Result<ConnectionPlan> PlanConnection(PlanArguments arguments, const settings::Settings& settings, Env& env) {
  return MakeConnectionPlan(GatherPlanInput(std::move(arguments), settings, env));
}

}  // namespace seedcore::ray
