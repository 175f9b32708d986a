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

void PrintCounts(const json::object& counts) {
  for (const auto& count : counts) {
    fmt::print("  {} {}\n", Pad(std::string(count.key()), 20), WriteJson(count.value()));
  }
}

}  // namespace

int RunHealth(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  json::object report;
  bool all_good = true;
  std::size_t unreachable = 0;
  Error last_error;
  for (const Probe& probe : kProbes) {
    auto health = api.GetAnyStatus(probe.path, probe.target);
    if (!health) {
      ++unreachable;
      last_error = health.error();
      report[probe.name] = json::object{{"status", "unreachable"}, {"error", health.error().message}};
      continue;
    }
    all_good = all_good && IsGood(TextOf(*health, "status"));
    report[probe.name] = std::move(*health);
  }
  if (unreachable == kProbes.size()) return ReportError(last_error);
  if (arguments.Has("json")) {
    PrintJson(report);
  } else {
    for (const auto& part : report) {
      const std::string status = TextOf(part.value(), "status");
      fmt::print("{} {}  {}\n", Pad(std::string(part.key()), 12),
                 Paint(IsGood(status) ? Color::kGreen : Color::kRed, Pad(status, 12)), TextOf(part.value(), "error"));
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
      PrintCounts(*object);
    } else {
      fmt::print("{} {}\n", Pad(std::string(section.key()), 22), WriteJson(section.value()));
    }
  }
  return kExitOk;
}

}  // namespace seedcore::cli
