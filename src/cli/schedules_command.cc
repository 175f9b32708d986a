#include <fmt/format.h>

#include "base/strings.h"
#include "cli/api.h"
#include "cli/client_commands.h"
#include "cli/read_text.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

Result<json::object> TaskFrom(const Arguments& arguments) {
  json::object task{{"type", arguments.Get("type")}};
  if (arguments.Has("params")) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string text, ReadText(arguments.Get("params"), "--params"));
    auto params = ParseJson(text);
    if (!params) return Fail(ErrorCode::kMalformed, params.error().message, "--params");
    task["params"] = std::move(*params);
  }
  for (const char* option : {"description", "domain"}) {
    if (arguments.Has(option)) task[option] = arguments.Get(option);
  }
  if (arguments.Has("priority")) {
    SEEDCORE_ASSIGN_OR_RETURN(task["priority"], arguments.Number("priority", 0));
  }
  return task;
}

Result<json::value> Put(Api& api, const Arguments& arguments, const std::string& path) {
  json::object body;
  SEEDCORE_ASSIGN_OR_RETURN(body["task"], TaskFrom(arguments));
  for (const auto& [option, field] :
       {std::pair("cron", "cron"), {"time-zone", "time_zone"}, {"catch-up", "catch_up"}, {"overlap", "overlap"}}) {
    if (arguments.Has(option)) body[field] = arguments.Get(option);
  }
  if (arguments.Has("every")) {
    SEEDCORE_ASSIGN_OR_RETURN(body["every_s"], arguments.Seconds("every", 0.0));
  }
  if (arguments.Has("max-catch-up")) {
    SEEDCORE_ASSIGN_OR_RETURN(body["max_catch_up"], arguments.Number("max-catch-up", 0));
  }
  if (arguments.Has("paused")) body["paused"] = true;
  return api.Put(path, body);
}

Result<json::value> ActOnSchedule(Api& api, const Arguments& arguments, const std::string& action) {
  constexpr std::string_view kAll = "/api/v1/schedules";
  if (action == "list") return api.Get(std::string(kAll));
  const std::string name = arguments.Get("NAME");
  if (name.empty()) return Fail(ErrorCode::kInvalidArgument, "give the name of the schedule", "NAME");
  const std::string path = fmt::format("{}/{}", kAll, PercentEncode(name));
  if (action == "show") return api.Get(path);
  if (action == "put") return Put(api, arguments, path);
  if (action == "delete") return api.Delete(path);
  if (action == "next") {
    SEEDCORE_ASSIGN_OR_RETURN(const int count, arguments.Number("count", 10));
    return api.Get(fmt::format("{}/next?count={}", path, count));
  }
  return api.Post(fmt::format("{}/{}", path, action), json::object());
}

void PrintSchedule(const json::value& schedule) {
  const json::value& every = schedule.at("every_s");
  const std::string when = every.is_null()
                               ? fmt::format("{} ({})", TextOf(schedule, "cron"), TextOf(schedule, "time_zone"))
                               : fmt::format("every {:g} s", JsonToDouble(every));
  const bool paused = schedule.at("paused").as_bool();
  fmt::print("{:<24} {:<34} {:<18} {}", TextOf(schedule, "name"), when, TextOf(schedule.at("task"), "type"),
             paused ? Paint(Color::kYellow, "paused") : "next " + TextOf(schedule, "next_run_at"));
  if (const std::string error = TextOf(schedule, "last_error"); !error.empty()) {
    fmt::print("  {}", Paint(Color::kRed, error));
  }
  fmt::print("\n");
}

}  // namespace

int RunSchedules(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const std::string action = arguments.Get("ACTION", "list");
  const auto reply = ActOnSchedule(api, arguments, action);
  if (!reply) return ReportError(reply.error());
  if (arguments.Has("json")) {
    PrintJson(*reply);
  } else if (action == "list") {
    for (const json::value& schedule : reply->at("items").as_array()) PrintSchedule(schedule);
  } else if (action == "next") {
    for (const json::value& time : reply->at("times").as_array()) fmt::print("{}\n", std::string(time.as_string()));
  } else if (action == "run") {
    fmt::print("submitted {}\n", TextOf(*reply, "id"));
  } else if (action == "delete") {
    fmt::print("deleted\n");
  } else {
    PrintSchedule(*reply);
  }
  return kExitOk;
}

}  // namespace seedcore::cli
