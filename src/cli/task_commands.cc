#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/env.h"
#include "base/strings.h"
#include "cli/api.h"
#include "cli/client_commands.h"
#include "cli/read_text.h"
#include "cli/task_view.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPoll{10};
constexpr milliseconds kLongestPoll{500};
constexpr int kDefaultWaitSeconds = 60;
constexpr int kDefaultListed = 20;
constexpr std::int64_t kRedrivenAtOnce = 1000;

bool IsFinal(const std::string& status) { return status == "completed" || status == "failed" || status == "cancelled"; }

/// "1h", "24h", "2d" before now, or a time as it is.
Result<std::string> SinceTime(const std::string& text) {
  const auto absolute = ParseRfc3339(text);
  if (absolute) return ToRfc3339(*absolute);
  const char unit = text.empty() ? ' ' : text.back();
  const int scale = unit == 'm' ? 1 : unit == 'h' ? 60 : unit == 'd' ? 1440 : 0;
  Arguments number;
  number.Add("since", text.substr(0, text.empty() ? 0 : text.size() - 1));
  const auto count = number.Number("since", 0);
  if (scale == 0 || !count || *count < 0) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 30m, 24h, 2d or a time, got '{}'", text), "--since");
  }
  return ToRfc3339(RealEnv().WallNow() - std::chrono::minutes(std::int64_t{*count} * scale));
}

/// Polls until the task has ended or is held; kDeadlineExceeded after `limit`.
Result<json::value> AwaitEnd(Api& api, const std::string& id, std::chrono::seconds limit) {
  Env& env = RealEnv();
  const Instant give_up = env.Now() + limit;
  for (milliseconds pause = kFirstPoll;; pause = std::min(pause * 2, kLongestPoll)) {
    SEEDCORE_ASSIGN_OR_RETURN(json::value task, api.Get("/api/v1/tasks/" + id));
    if (IsFinal(TextOf(task, "status")) || !TextOf(task, "hold_reason").empty()) return task;
    if (env.Now() >= give_up) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("task {} is still {} after {} s; `seedcore task {}` shows how it goes on", id,
                              TextOf(task, "status"), limit.count(), id));
    }
    env.SleepFor(pause, {});
  }
}

int ExitCodeOf(const json::value& task) {
  const std::string status = TextOf(task, "status");
  return status == "failed" || status == "cancelled" ? kExitFailed : kExitOk;
}

int ShowTask(const Arguments& arguments, const json::value& task) {
  if (arguments.Has("json")) {
    PrintJson(task);
  } else {
    fmt::print("{}  {}{}\n", TextOf(task, "id"), PaintStatus(TextOf(task, "status")), ResultSummary(task, 200));
  }
  return ExitCodeOf(task);
}

Result<json::object> TaskFromArguments(const Arguments& arguments) {
  json::object task{{"type", arguments.Get("TYPE")}};
  if (arguments.Has("params")) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string text, ReadText(arguments.Get("params"), "--params"));
    auto params = ParseJson(text);
    if (!params) return Fail(ErrorCode::kMalformed, params.error().message, "--params");
    task["params"] = std::move(*params);
  }
  for (const auto& [option, field] : {std::pair("description", "description"),
                                      {"domain", "domain"},
                                      {"run-after", "run_after"},
                                      {"deadline", "deadline"},
                                      {"key", "idempotency_key"}}) {
    if (arguments.Has(option)) task[field] = arguments.Get(option);
  }
  if (arguments.Has("priority")) {
    SEEDCORE_ASSIGN_OR_RETURN(task["priority"], arguments.Number("priority", 0));
  }
  json::array dependencies;
  for (const std::string& id : arguments.All("depends-on")) dependencies.push_back(json::string(id));
  if (!dependencies.empty()) task["depends_on"] = std::move(dependencies);
  if (arguments.Has("hold")) task["run_immediately"] = false;
  return task;
}

/// Submits, and waits where asked to. The key makes a repeated submit of ours harmless.
Result<json::value> SubmitTask(Api& api, const Arguments& arguments, const json::object& task, bool wait) {
  const std::string key = arguments.Has("key") ? arguments.Get("key") : RealEnv().NewId();
  SEEDCORE_ASSIGN_OR_RETURN(const int wait_s, arguments.Number("wait-s", kDefaultWaitSeconds));
  SEEDCORE_ASSIGN_OR_RETURN(json::value stored, api.Post("/api/v1/tasks", task, key));
  if (!wait) return stored;
  return AwaitEnd(api, TextOf(stored, "id"), std::chrono::seconds(wait_s));
}

/// The server leaves a task that has ended as it is, and its status alone tells: an error where that is not what was
/// asked for.
Result<void> Steered(const json::value& task, std::string_view verb) {
  const std::string status = TextOf(task, "status");
  if (verb == "run" && status == "completed") {
    return Fail(ErrorCode::kConflict,
                fmt::format("task {} is completed: there is nothing to retry; to have it done again, submit it again",
                            TextOf(task, "id")));
  }
  if (verb == "cancel" && status != "cancelled") {
    return Fail(ErrorCode::kConflict,
                fmt::format("task {} has {} before it could be cancelled", TextOf(task, "id"), status));
  }
  return {};
}

int Steer(const Arguments& arguments, std::string_view verb) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const auto task = api.Post(fmt::format("/api/v1/tasks/{}/{}", PercentEncode(arguments.Get("ID")), verb),
                             json::object(), RealEnv().NewId());
  if (!task) return ReportError(task.error());
  if (const auto steered = Steered(*task, verb); !steered) return ReportError(steered.error());
  ShowTask(arguments, *task);
  return kExitOk;
}

/// Queues the dead letters, some at a time. No more often than those there are at the beginning can take: what fails
/// again meanwhile is dead again, and would go round for ever.
Result<std::int64_t> RedriveAll(Api& api, const std::string& type) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value status, api.Get("/api/v1/status"));
  const std::int64_t rounds = status.at("dead_letters").as_int64() / kRedrivenAtOnce + 1;
  std::int64_t requeued = 0;
  for (std::int64_t round = 0; round < rounds; ++round) {
    SEEDCORE_ASSIGN_OR_RETURN(const json::value result,
                              api.Post("/api/v1/tasks/redrive", {{"type", type}, {"limit", kRedrivenAtOnce}}));
    const auto now = result.at("requeued").as_int64();
    requeued += now;
    if (now < kRedrivenAtOnce) break;
  }
  return requeued;
}

int RetryDead(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const auto requeued = RedriveAll(api, arguments.Get("type"));
  if (!requeued) return ReportError(requeued.error());
  if (arguments.Has("json")) {
    PrintJson({{"requeued", *requeued}});
  } else {
    fmt::print("{} queued again\n", *requeued);
  }
  return kExitOk;
}

std::string ListQuery(const Arguments& arguments, const std::string& since, int limit) {
  std::vector<std::string> terms{fmt::format("limit={}", limit)};
  for (const auto& [option, field] :
       {std::pair("status", "status"), {"type", "type"}, {"domain", "domain"}, {"search", "q"}}) {
    if (arguments.Has(option)) terms.push_back(fmt::format("{}={}", field, PercentEncode(arguments.Get(option))));
  }
  if (!since.empty()) terms.push_back("since=" + PercentEncode(since));
  if (arguments.Has("dead")) terms.emplace_back("dead_letter=true");
  return fmt::format("/api/v1/tasks?{}", fmt::join(terms, "&"));
}

}  // namespace

int RunSubmit(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  const auto task = TaskFromArguments(arguments);
  if (!task) return ReportError(task.error());
  Api api(settings->client);
  const auto stored = SubmitTask(api, arguments, *task, arguments.Has("wait"));
  if (!stored) return ReportError(stored.error());
  return ShowTask(arguments, *stored);
}

int RunAsk(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const json::object task{{"type", "general_query"},
                          {"description", fmt::format("{}", fmt::join(arguments.All("QUESTION"), " "))}};
  const auto answer = SubmitTask(api, arguments, task, true);
  if (!answer) return ReportError(answer.error());
  if (arguments.Has("json")) {
    PrintJson(*answer);
  } else {
    fmt::print("{}\n", ResultSummary(*answer, 2000));
  }
  return ExitCodeOf(*answer);
}

int RunTasks(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  const auto limit = arguments.Number("limit", kDefaultListed);
  if (!limit) return ReportError(limit.error());
  std::string since;
  if (arguments.Has("since")) {
    const auto time = SinceTime(arguments.Get("since"));
    if (!time) return ReportError(time.error());
    since = *time;
  }
  Api api(settings->client);
  const auto page = api.Get(ListQuery(arguments, since, *limit));
  if (!page) return ReportError(page.error());
  if (arguments.Has("json")) {
    PrintJson(*page);
    return kExitOk;
  }
  fmt::print("{}", TaskTable(page->at("items").as_array()));
  if (!page->at("next_cursor").is_null()) fmt::print("{}\n", Paint(Color::kDim, "more: raise --limit"));
  return kExitOk;
}

int RunTask(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  auto task = api.Get("/api/v1/tasks/" + PercentEncode(arguments.Get("ID")));
  if (!task) return ReportError(task.error());
  auto history = api.Get(fmt::format("/api/v1/tasks/{}/events", TextOf(*task, "id")));
  if (!history) return ReportError(history.error());
  auto steps = api.Get(fmt::format("/api/v1/tasks/{}/steps", TextOf(*task, "id")));
  if (!steps) return ReportError(steps.error());
  if (arguments.Has("json")) {
    task->as_object()["history"] = std::move(*history);
    task->as_object()["steps"] = std::move(steps->as_object()["items"]);
    PrintJson(*task);
  } else {
    fmt::print("{}", TaskDetails(task->as_object(), *history, *steps));
  }
  return kExitOk;
}

int RunCancel(const Arguments& arguments) { return Steer(arguments, "cancel"); }

int RunRetry(const Arguments& arguments) {
  const bool dead = arguments.Has("dead");
  if (dead == arguments.Has("ID")) return ReportError({ErrorCode::kInvalidArgument, "give a task id, or --dead", ""});
  if (!dead && arguments.Has("type"))
    return ReportError({ErrorCode::kInvalidArgument, "only together with --dead", "--type"});
  return dead ? RetryDead(arguments) : Steer(arguments, "run");
}

}  // namespace seedcore::cli
