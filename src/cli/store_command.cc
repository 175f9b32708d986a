#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "app/foundation.h"
#include "app/section_settings.h"
#include "cli/api.h"
#include "cli/local_commands.h"
#include "cli/terminal.h"
#include "settings/redact.h"
#include "store/check.h"
#include "store/copy.h"
#include "store/location.h"

namespace seedcore::cli {
namespace {

/// Where `up` would keep its data with the same settings.
Result<std::string> ConfiguredStore(const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(const settings::Settings settings, LoadSettings(arguments));
  if (!settings.store.pg_dsn.empty()) return settings.store.pg_dsn;
  SEEDCORE_ASSIGN_OR_RETURN(const std::string folder, app::PrepareDataDir(settings.store.data_dir.string()));
  return app::SqliteSettingsFrom(settings.store, folder).path;
}

Result<std::string> StoreOf(const Arguments& arguments) {
  if (arguments.Has("STORE")) return arguments.Get("STORE");
  return ConfiguredStore(arguments);
}

int ReportStoreError(Error error) {
  error.message = settings::RedactPasswords(error.message);
  error.path = settings::RedactPasswords(error.path);
  return ReportError(error);
}

json::object ToJson(const store::CheckReport& report) {
  json::array findings;
  for (const store::Finding& finding : report.findings) {
    findings.push_back(json::object{{"rule", finding.rule}, {"rows", finding.count}, {"example", finding.example}});
  }
  json::object tasks;
  for (const auto& [status, count] : report.tasks) tasks[status] = count;
  return {{"store", report.place},     {"sound", report.findings.empty()},    {"schema_version", report.schema_version},
          {"tasks", std::move(tasks)}, {"dead_letters", report.dead_letters}, {"events", report.events},
          {"rules", report.rules},     {"findings", std::move(findings)}};
}

/// "1 task", "2 tasks".
std::string Counted(std::int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void PrintReport(const store::CheckReport& report) {
  std::int64_t total = 0;
  std::string states;
  for (const auto& [status, count] : report.tasks) {
    total += count;
    states += fmt::format("{}{} {}", states.empty() ? ": " : ", ", count, status);
  }
  fmt::print("{}\nschema {}, {}{}\n{}, {}\n", Paint(Color::kBold, report.place), report.schema_version,
             Counted(total, "task"), states, Counted(report.dead_letters, "dead letter"),
             Counted(report.events, "event"));
  for (const store::Finding& finding : report.findings) {
    fmt::print("{} {} ({} rows, for example {})\n", Paint(Color::kRed, "broken:"), finding.rule, finding.count,
               finding.example);
  }
  if (report.findings.empty()) fmt::print("{} {} rules hold\n", Paint(Color::kGreen, "sound:"), report.rules);
}

}  // namespace

int RunStoreMigrate(const Arguments& arguments) {
  const auto place = StoreOf(arguments);
  if (!place) return ReportStoreError(place.error());
  const auto report = store::MigrateStore(*place, RealEnv());
  if (!report) return ReportStoreError(report.error());
  if (arguments.Has("json")) {
    json::array notes;
    for (const std::string& note : report->notes) notes.emplace_back(note);
    PrintJson(json::object{
        {"store", report->place}, {"from", report->from}, {"to", report->to}, {"notes", std::move(notes)}});
    return kExitOk;
  }
  for (const std::string& note : report->notes) fmt::print("{}\n", note);
  if (report->from == report->to) {
    fmt::print("{}: schema {}, nothing to do\n", report->place, report->to);
  } else {
    fmt::print("{}: schema {} -> {}\n", report->place, report->from, report->to);
  }
  return kExitOk;
}

int RunStoreCheck(const Arguments& arguments) {
  const auto place = StoreOf(arguments);
  if (!place) return ReportStoreError(place.error());
  const auto tables = store::OpenTables(*place, store::TablesUse::kInspect, RealEnv());
  if (!tables) return ReportStoreError(tables.error());
  const auto report = store::CheckStore(**tables);
  if (!report) return ReportStoreError(report.error());
  if (arguments.Has("json")) {
    PrintJson(ToJson(*report));
  } else {
    PrintReport(*report);
  }
  return report->findings.empty() ? kExitOk : kExitFailed;
}

int RunStoreCopy(const Arguments& arguments) {
  Env& env = RealEnv();
  const auto source = store::OpenTables(arguments.Get("SRC"), store::TablesUse::kCopyFrom, env);
  if (!source) return ReportStoreError(source.error());
  const auto destination = store::OpenTables(arguments.Get("DST"), store::TablesUse::kCopyTo, env);
  if (!destination) return ReportStoreError(destination.error());

  const Instant started = env.Now();
  Instant drawn = started;
  Result<store::CopyReport> report;
  {
    Progress copying("copying"), verifying("verifying");
    report = store::CopyStore(
        **source, **destination, {.resume = arguments.Has("resume")}, [&](const store::CopyProgress& progress) {
          const Instant now = env.Now();
          if (now - started < std::chrono::seconds(1)) return;
          if (now - drawn < std::chrono::milliseconds(100)) return;
          drawn = now;
          (progress.verifying ? verifying : copying)
              .Update(static_cast<std::size_t>(progress.done), static_cast<std::size_t>(progress.total));
        });
  }
  if (!report) {
    const int code = ReportStoreError(report.error());
    const bool can_resume = report.error().code != ErrorCode::kConflict;
    if (can_resume) fmt::print(stderr, "seedcore: what has been copied stays; run it again with --resume\n");
    return code;
  }
  const double seconds = std::chrono::duration<double>(env.Now() - started).count();
  if (arguments.Has("json")) {
    json::object tables;
    for (const store::CopiedTable& table : report->tables) tables[table.name] = table.rows;
    PrintJson(json::object{{"source", (*source)->place()},
                           {"destination", (*destination)->place()},
                           {"rows", report->rows},
                           {"resumed_rows", report->resumed_rows},
                           {"seconds", seconds},
                           {"tables", std::move(tables)}});
    return kExitOk;
  }
  for (const store::CopiedTable& table : report->tables) {
    if (table.rows > 0) fmt::print("{} {}\n", Pad(table.name, 24), table.rows);
  }
  fmt::print("{} rows copied and verified in {:.1f} s: {} -> {}\n", report->rows, seconds, (*source)->place(),
             (*destination)->place());
  return kExitOk;
}

}  // namespace seedcore::cli
