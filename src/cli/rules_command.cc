#include <fmt/format.h>

#include "base/strings.h"
#include "cli/api.h"
#include "cli/client_commands.h"
#include "cli/read_text.h"
#include "cli/terminal.h"
#include "coordinator/rules.h"

namespace seedcore::cli {
namespace {

constexpr const char* kRules = "/pipeline/predicates";
constexpr const char* kVersions = "/pipeline/predicates/versions";

Result<json::value> Get(Api& api, const std::string& path) { return api.Get(path, Target::kServices); }

Result<std::string> FileText(const Arguments& arguments) {
  const std::string file = arguments.Get("FILE");
  return ReadText(file == "-" ? file : "@" + file, "FILE");
}

Result<json::value> Status(Api& api, const Arguments&) { return Get(api, "/pipeline/predicates/status"); }
Result<json::value> Versions(Api& api, const Arguments&) { return Get(api, kVersions); }

/// That of the command line, or the newest.
Result<std::int64_t> VersionOf(Api& api, const Arguments& arguments) {
  if (arguments.Has("VERSION")) return arguments.Number("VERSION", 0);
  SEEDCORE_ASSIGN_OR_RETURN(const json::value versions, Get(api, kVersions));
  const json::array& items = versions.at("items").as_array();
  if (items.empty()) return Fail(ErrorCode::kNotFound, "the store has no rules");
  return items.front().at("version").to_number<std::int64_t>();
}

Result<json::value> ShowVersion(Api& api, const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t version, VersionOf(api, arguments));
  return Get(api, fmt::format("{}/{}", kVersions, version));
}

Result<json::value> PutText(Api& api, const Arguments& arguments, std::string text, const std::string& note) {
  json::object body{{"yaml", std::move(text)}, {"note", arguments.Get("note", note)}};
  if (arguments.Has("expect")) {
    SEEDCORE_ASSIGN_OR_RETURN(body["expected_version"], arguments.Number("expect", 0));
  }
  return api.Put(kRules, body, Target::kServices);
}

Result<json::value> Put(Api& api, const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(std::string text, FileText(arguments));
  return PutText(api, arguments, std::move(text), "");
}

Result<json::value> Revert(Api& api, const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value version, ShowVersion(api, arguments));
  if (version.at("yaml").is_null()) {
    return Fail(ErrorCode::kInvalidArgument, "that version withdrew the rules; use `seedcore rules withdraw`",
                "VERSION");
  }
  return PutText(api, arguments, TextOf(version, "yaml"), "as version " + arguments.Get("VERSION"));
}

Result<json::value> Withdraw(Api& api, const Arguments& arguments) {
  std::string query = "?note=" + PercentEncode(arguments.Get("note"));
  if (arguments.Has("expect")) {
    SEEDCORE_ASSIGN_OR_RETURN(const int expected, arguments.Number("expect", 0));
    query += fmt::format("&expected_version={}", expected);
  }
  return api.Delete(kRules + query, Target::kServices);
}

void PrintVersion(const json::value& version) {
  fmt::print("{:<6} {}{}  {}\n", version.at("version").to_number<std::int64_t>(), TextOf(version, "created_at"),
             version.at("withdrawn").as_bool() ? Paint(Color::kYellow, "  withdrawn") : "", TextOf(version, "note"));
}

void PrintVersions(const json::value& versions) {
  for (const json::value& version : versions.at("items").as_array()) PrintVersion(version);
}

void PrintText(const json::value& version) { fmt::print("{}", TextOf(version, "yaml")); }

void PrintCounts(const json::value& rules) {
  fmt::print("{} routing rules, {} mutation rules, {}\n", rules.at("routing_rules").to_number<std::int64_t>(),
             rules.at("mutation_rules").to_number<std::int64_t>(), TextOf(rules, "file_hash"));
}

void PrintStatus(const json::value& status) {
  const json::value& config = status.at("predicate_config");
  fmt::print("{}, since {}: ", Paint(Color::kBold, TextOf(config, "file")), TextOf(config, "loaded_at"));
  PrintCounts(config);
  if (const std::string error = TextOf(config, "last_error"); !error.empty()) {
    fmt::print("{}\n", Paint(Color::kRed, error));
  }
}

int Show(const Arguments& arguments, const Result<json::value>& reply, void (*print)(const json::value&)) {
  if (!reply) return ReportError(reply.error());
  arguments.Has("json") ? PrintJson(*reply) : print(*reply);
  return kExitOk;
}

int AskAndShow(const Arguments& arguments, Result<json::value> (*ask)(Api&, const Arguments&),
               void (*print)(const json::value&)) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  return Show(arguments, ask(api, arguments), print);
}

}  // namespace

int RunRulesStatus(const Arguments& arguments) { return AskAndShow(arguments, &Status, &PrintStatus); }
int RunRulesPut(const Arguments& arguments) { return AskAndShow(arguments, &Put, &PrintVersion); }
int RunRulesVersions(const Arguments& arguments) { return AskAndShow(arguments, &Versions, &PrintVersions); }
int RunRulesShow(const Arguments& arguments) { return AskAndShow(arguments, &ShowVersion, &PrintText); }
int RunRulesRevert(const Arguments& arguments) { return AskAndShow(arguments, &Revert, &PrintVersion); }
int RunRulesWithdraw(const Arguments& arguments) { return AskAndShow(arguments, &Withdraw, &PrintVersion); }

int RunRulesCheck(const Arguments& arguments) {
  const auto text = FileText(arguments);
  if (!text) return ReportError(text.error());
  const auto rules = coordinator::ParseRules(*text, arguments.Get("FILE"));
  if (!rules) return ReportError(rules.error());
  const json::object counts{{"routing_rules", rules->routing.size()},
                            {"mutation_rules", rules->mutations.size()},
                            {"file_hash", rules->hash}};
  return Show(arguments, counts, &PrintCounts);
}

}  // namespace seedcore::cli
