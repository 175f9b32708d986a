#include <algorithm>
#include <chrono>
#include <filesystem>
#include <span>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

/// As one word of a shell.
std::string ShellWord(const std::string& text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+:@%,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

/// The command that starts on a store. `up` opens a folder with seedcore.db, so another file has to be moved into one.
std::string StartCommand(const std::string& given, const std::string& place) {
  if (store::IsDsn(given)) return "SEEDCORE_PG_DSN=DST seedcore up";
  const std::filesystem::path file(place);
  if (file.filename() == store::kStoreFile) return "seedcore up --data-dir " + ShellWord(file.parent_path().string());
  return fmt::format("mkdir DIR && mv {} DIR/{} && seedcore up --data-dir DIR", ShellWord(place), store::kStoreFile);
}

/// "a, b, c and 7 more"
std::string Listed(std::span<const std::string> names) {
  constexpr std::size_t kShown = 10;
  const std::size_t shown = std::min(kShown, names.size());
  const std::string more = names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "";
  return fmt::format("{}{}", fmt::join(names.first(shown), ", "), more);
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
  bool begun = false;
  Result<store::CopyReport> report;
  {
    Progress copying("copying"), verifying("verifying");
    report = store::CopyStore(
        **source, **destination, {.resume = arguments.Has("resume")}, [&](const store::CopyProgress& progress) {
          begun = true;
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
    const bool can_resume = begun && report.error().code != ErrorCode::kConflict;
    if (can_resume) fmt::print(stderr, "seedcore: what has been copied stays; run it again with --resume\n");
    return code;
  }
  const double seconds = std::chrono::duration<double>(env.Now() - started).count();
  const std::string start = StartCommand(arguments.Get("DST"), (*destination)->place());
  if (arguments.Has("json")) {
    json::object tables;
    for (const store::CopiedTable& table : report->tables) tables[table.name] = table.rows;
    json::array left_out;
    for (const std::string& table : report->left_out) left_out.emplace_back(table);
    PrintJson(json::object{{"source", (*source)->place()},
                           {"destination", (*destination)->place()},
                           {"rows", report->rows},
                           {"resumed_rows", report->resumed_rows},
                           {"seconds", seconds},
                           {"tables", std::move(tables)},
                           {"left_out", std::move(left_out)},
                           {"start", start}});
    return kExitOk;
  }
  for (const store::CopiedTable& table : report->tables) {
    if (table.rows > 0) fmt::print("{} {}\n", Pad(table.name, 24), table.rows);
  }
  fmt::print("{} rows copied and verified in {:.1f} s: {} -> {}\n", report->rows, seconds, (*source)->place(),
             (*destination)->place());
  if (!report->left_out.empty()) fmt::print("left out, not of SeedCore: {}\n", Listed(report->left_out));
  fmt::print("start on the copy: {}\n", start);
  return kExitOk;
}

}  // namespace seedcore::cli
