#include <array>

#include <fmt/format.h>

#include "cli/api.h"
#include "cli/client_commands.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

struct Probe {
  const char* name;
  const char* path;
  Target target;
};

constexpr std::array kProbes{Probe{"tasks", "/readyz", Target::kTasks},
                             Probe{"ml", "/ml/health", Target::kServices},
                             Probe{"cognitive", "/cognitive/health", Target::kServices},
                             Probe{"coordinator", "/pipeline/health", Target::kServices},
                             Probe{"state", "/state/health", Target::kServices},
                             Probe{"energy", "/energy/health", Target::kServices},
                             Probe{"organism", "/organism/health", Target::kServices}};

bool IsGood(const std::string& status) { return status == "healthy" || status == "ready" || status == "degraded"; }

/// Text as it is, everything else as JSON.
std::string Shown(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : WriteJson(value);
}

void PrintMembers(const json::object& members) {
  for (const auto& member : members) {
    fmt::print("  {} {}\n", Pad(std::string(member.key()), 20), Shown(member.value()));
  }
}

/// Why a service is not entirely healthy: its error, or the parts it names as not there.
std::string Reason(const json::value& health) {
  std::string reason = TextOf(health, "error");
  if (health.is_object() && health.get_object().contains("error") && reason.empty()) {
    reason = TextOf(health.at("error"), "message");  // an error document
  }
  const json::value* parts = health.as_object().if_contains("parts");
  if (!reason.empty() || parts == nullptr || !parts->is_object()) return reason;
  for (const auto& part : parts->get_object()) {
    if (!part.value().is_bool() || part.value().get_bool()) continue;
    reason += (reason.empty() ? "not there: " : ", ") + std::string(part.key());
  }
  return reason;
}

/// Why tasks cannot be stored now. The probe tells anybody only what kind of failure it is; whoever has a token learns
/// more.
std::string WhyNotReady(Api& api, const json::value& readiness) {
  const auto status = api.Get("/api/v1/status");
  if (!status && status.error().code == ErrorCode::kUnavailable) return status.error().message;
  std::string reason;
  if (status) {
    const json::value* const store = status->as_object().if_contains("store");
    if (store != nullptr) reason = TextOf(*store, "error");
  }
  const json::value* const deps = readiness.as_object().if_contains("deps");
  if (deps == nullptr || !deps->is_object()) return reason;
  for (const auto& dep : deps->get_object()) {
    const std::string text = Shown(dep.value());
    if (!text.starts_with("error: ") || (dep.key() == "db" && !reason.empty())) continue;
    reason += (reason.empty() ? "" : ", ") + std::string(dep.key()) + ": " + text.substr(7);
  }
  return reason;
}

/// Organs whose work is done by actors of their own, and where.
void PrintHosts(const json::value& health) {
  const json::value* hosts = health.is_object() ? health.get_object().if_contains("hosts") : nullptr;
  if (hosts != nullptr && hosts->is_object()) PrintMembers(hosts->get_object());
}

}  // namespace

int RunHealth(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  json::object report;
  bool all_good = true;
  std::size_t unreachable = 0;
  Error first_error;
  for (const Probe& probe : kProbes) {
    auto health = api.GetAnyStatus(probe.path, probe.target);
    if (!health) {
      if (unreachable++ == 0) first_error = health.error();
      report[probe.name] = json::object{{"status", "unreachable"}, {"error", health.error().message}};
      continue;
    }
    all_good = all_good && IsGood(TextOf(*health, "status"));
    if (TextOf(*health, "status") == "not_ready") health->as_object()["error"] = WhyNotReady(api, *health);
    report[probe.name] = std::move(*health);
  }
  if (unreachable == kProbes.size()) return ReportError(first_error);
  if (arguments.Has("json")) {
    PrintJson(report);
  } else {
    for (const auto& part : report) {
      const std::string status = TextOf(part.value(), "status");
      fmt::print("{} {}  {}\n", Pad(std::string(part.key()), 12),
                 Paint(IsGood(status) ? Color::kGreen : Color::kRed, Pad(status, 12)), Reason(part.value()));
      PrintHosts(part.value());
    }
  }
  return all_good && unreachable == 0 ? kExitOk : kExitFailed;
}

int RunStatus(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const auto status = api.Get("/api/v1/status");
  if (!status) return ReportError(status.error());
  if (arguments.Has("json")) {
    PrintJson(*status);
    return kExitOk;
  }
  for (const auto& section : status->as_object()) {
    if (const auto* object = section.value().if_object()) {
      fmt::print("{}\n", Paint(Color::kBold, std::string(section.key())));
      PrintMembers(*object);
    } else {
      fmt::print("{} {}\n", Pad(std::string(section.key()), 22), Shown(section.value()));
    }
  }
  return kExitOk;
}

}  // namespace seedcore::cli
