#include <fmt/format.h>

#include "base/strings.h"
#include "cli/api.h"
#include "cli/client_commands.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

Result<void> NeedsName(const std::string& name) {
  if (!name.empty()) return {};
  return Fail(ErrorCode::kInvalidArgument, "give the type, or the key with --key", "NAME");
}

std::string LimitPath(const Arguments& arguments, const std::string& name) {
  return fmt::format("/api/v1/limits/{}/{}", arguments.Has("key") ? "key" : "type", PercentEncode(name));
}

Result<json::value> PutLimit(Api& api, const Arguments& arguments, const std::string& name) {
  json::object body;
  if (arguments.Has("max-running")) {
    SEEDCORE_ASSIGN_OR_RETURN(body["max_running"], arguments.Number("max-running", 0));
  }
  if (arguments.Has("rate")) {
    json::object rate;
    SEEDCORE_ASSIGN_OR_RETURN(rate["tasks"], arguments.Number("rate", 0));
    SEEDCORE_ASSIGN_OR_RETURN(rate["interval_s"], arguments.Seconds("interval", 1.0));
    if (arguments.Has("burst")) {
      SEEDCORE_ASSIGN_OR_RETURN(rate["burst"], arguments.Number("burst", 0));
    }
    body["rate"] = std::move(rate);
  }
  return api.Put(LimitPath(arguments, name), body);
}

/// The queues, and in `key_limits` what belongs to no type.
Result<json::value> List(Api& api) {
  SEEDCORE_ASSIGN_OR_RETURN(json::value queues, api.Get("/api/v1/queues"));
  SEEDCORE_ASSIGN_OR_RETURN(const json::value limits, api.Get("/api/v1/limits"));
  json::array of_keys;
  for (const json::value& limit : limits.at("items").as_array()) {
    if (TextOf(limit, "scope") == "key") of_keys.push_back(limit);
  }
  queues.as_object()["key_limits"] = std::move(of_keys);
  return queues;
}

Result<json::value> ActOnQueue(Api& api, const Arguments& arguments, const std::string& action) {
  if (action == "list") return List(api);
  const std::string name = arguments.Get("NAME");
  SEEDCORE_RETURN_IF_ERROR(NeedsName(name));
  if (action == "limit") return PutLimit(api, arguments, name);
  if (action == "unlimit") return api.Delete(LimitPath(arguments, name));
  json::object body;
  if (action == "pause" && arguments.Has("reason")) body["reason"] = arguments.Get("reason");
  return api.Post(fmt::format("/api/v1/queues/{}/{}", PercentEncode(name), action), body);
}

/// A name with a mistake in it pauses nothing.
void WarnOfUnknownType(Api& api, const std::string& type) {
  const auto tasks = api.Get(fmt::format("/api/v1/tasks?limit=1&type={}", PercentEncode(type)));
  if (!tasks || !tasks->at("items").as_array().empty()) return;
  fmt::print(stderr, "seedcore: warning: no task of type '{}' is known\n", type);
}

std::string LimitText(const json::value& limit) {
  if (!limit.is_object()) return "";
  std::string text;
  if (const json::value& most = limit.at("max_running"); !most.is_null()) {
    text += fmt::format("  at most {} running", most.to_number<int>());
  }
  if (const json::value& rate = limit.at("rate"); !rate.is_null()) {
    text +=
        fmt::format("  {} per {:g} s", rate.at("tasks").to_number<int>(), rate.at("interval_s").to_number<double>());
    const json::value* burst = rate.as_object().if_contains("burst");
    if (burst != nullptr && burst->is_number()) text += fmt::format(", {} at once", burst->to_number<int>());
  }
  return text;
}

void PrintQueue(const json::value& queue) {
  const auto count = [&](const char* name) { return queue.at(name).to_number<std::int64_t>(); };
  fmt::print("{:<24} ready {:<8} running {:<6} scheduled {:<6} parked {:<6}{}", TextOf(queue, "type"), count("ready"),
             count("running"), count("scheduled"), count("parked"), LimitText(queue.at("limit")));
  if (queue.at("paused").as_bool()) {
    const std::string reason = TextOf(queue, "pause_reason");
    fmt::print("  {}", Paint(Color::kYellow, reason.empty() ? "paused" : "paused: " + reason));
  }
  // A server of an earlier version does not say so.
  const json::value* external = queue.as_object().if_contains("external");
  if (external != nullptr && external->is_bool() && external->as_bool()) fmt::print("  left to workers outside");
  fmt::print("\n");
}

void PrintLimit(const json::value& limit) {
  fmt::print("{} {}{}\n", TextOf(limit, "scope"), TextOf(limit, "name"), LimitText(limit));
}

void PrintList(const json::value& list) {
  const json::array& queues = list.at("items").as_array();
  const json::array& of_keys = list.at("key_limits").as_array();
  for (const json::value& queue : queues) PrintQueue(queue);
  for (const json::value& limit : of_keys) PrintLimit(limit);
  if (queues.empty() && of_keys.empty()) {
    fmt::print("{}\n", Paint(Color::kDim, "nothing waits or runs, nothing is paused or limited"));
  }
}

}  // namespace

int RunQueues(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const std::string action = arguments.Get("ACTION", "list");
  const auto reply = ActOnQueue(api, arguments, action);
  if (!reply) return ReportError(reply.error());
  if (action == "pause" || action == "resume") WarnOfUnknownType(api, arguments.Get("NAME"));
  if (arguments.Has("json")) {
    PrintJson(*reply);
  } else if (action == "list") {
    PrintList(*reply);
  } else if (action == "pause" || action == "resume" || action == "external" || action == "embedded") {
    PrintQueue(*reply);
  } else if (action == "limit") {
    PrintLimit(*reply);
  } else {
    fmt::print("lifted\n");
  }
  return kExitOk;
}

}  // namespace seedcore::cli
