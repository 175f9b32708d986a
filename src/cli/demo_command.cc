#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/api.h"
#include "cli/demo_report.h"
#include "cli/host.h"
#include "cli/local_commands.h"
#include "cli/scratch_folder.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHistory = 20'000;  // measurements before the day: all of this series
constexpr std::size_t kWarmUp = 14 * 48;  // two weeks of half hours, so that every weekday has been seen
constexpr std::chrono::seconds kPatience{300};
constexpr std::chrono::milliseconds kPoll{100};

Result<std::string> ReadFile(const fs::path& path) {
  const std::ifstream in(path, std::ios::binary);
  if (!in) return Fail(ErrorCode::kNotFound, "cannot read the example; name its folder with --example", path.string());
  return std::string(std::istreambuf_iterator<char>(in.rdbuf()), {});
}

Result<std::vector<std::string>> SubmitAll(Api& api, const std::vector<DayTask>& tasks) {
  std::vector<std::string> ids;
  Progress progress("submitting");
  for (const DayTask& task : tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(const json::value stored, api.Post("/api/v1/tasks", task.body, task.day));
    ids.push_back(TextOf(stored, "id"));
    progress.Update(ids.size(), tasks.size());
  }
  return ids;
}

/// Polls until no task of the example is on its way any more, or patience runs out.
Result<void> AwaitAll(Api& api, std::size_t total) {
  Env& env = RealEnv();
  const Instant give_up = env.Now() + kPatience;
  Progress progress("executing ");
  while (env.Now() < give_up) {
    SEEDCORE_ASSIGN_OR_RETURN(const json::value status, api.Get("/api/v1/status"));
    const json::object& counts = status.at("tasks").as_object();
    std::int64_t ended = 0;
    for (const std::string_view state : {"completed", "failed", "cancelled"})
      ended += counts.at(state).to_number<std::int64_t>();
    progress.Update(static_cast<std::size_t>(ended), total);
    if (static_cast<std::size_t>(ended) >= total) return {};
    env.SleepFor(kPoll, {});
  }
  return {};  // the report counts what did not finish
}

Result<DemoReport> RunExample(Api& api, const Example& example, const std::vector<DayTask>& tasks) {
  const Instant start = RealEnv().Now();
  SEEDCORE_ASSIGN_OR_RETURN(const auto ids, SubmitAll(api, tasks));
  SEEDCORE_RETURN_IF_ERROR(AwaitAll(api, ids.size()));
  const double elapsed = std::chrono::duration<double>(RealEnv().Now() - start).count();
  std::vector<json::value> ended;
  for (const std::string& id : ids) {
    SEEDCORE_ASSIGN_OR_RETURN(json::value task, api.Get("/api/v1/tasks/" + id));
    ended.push_back(std::move(task));
  }
  DemoReport report = MakeDemoReport(example, ended);
  report.elapsed_s = elapsed;
  return report;
}

void PrintLinks(const app::Platform& platform, const DemoReport& report) {
  fmt::print("{}", Paint(Color::kBold, "\nOpen\n"));
  fmt::print("  tasks     {}/api/v1/tasks\n", platform.api_url());
  for (const EventFinding& event : report.events) {
    if (!event.found) continue;
    fmt::print("  a task    {}/api/v1/tasks/{}\n", platform.api_url(), event.task_id);
    fmt::print("  history   {}/api/v1/tasks/{}/events\n", platform.api_url(), event.task_id);
    break;
  }
  fmt::print("  status    {}/api/v1/status\n  API       {}/openapi.json\n  metrics   {}/metrics\n", platform.api_url(),
             platform.services_url(), platform.services_url());
  fmt::print(
      "  services  {0}/ml/health {0}/pipeline/predicates/status {0}/organism/status {0}/energy/energy-from-state\n",
      platform.services_url());
}

}  // namespace

int RunDemo(const Arguments& arguments) {
  BlockSignals();
  auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  const fs::path folder = arguments.Get("example", "examples/data");
  const auto description = ReadFile(folder / "nyc_taxi_events.json");
  if (!description) return ReportError(description.error());
  const auto example = FromJsonText<Example>(*description);
  if (!example) return ReportError(example.error());
  const auto csv = ReadFile(folder / example->series);
  if (!csv) return ReportError(csv.error());
  const auto series = ParseSeriesCsv(*csv);
  if (!series) return ReportError(series.error());

  const ScratchFolder scratch(fs::temp_directory_path());
  if (settings->sources["store.data_dir"].kind == settings::SourceKind::kDefault)
    settings->store.data_dir = scratch.path();
  if (settings->sources["log.level"].kind == settings::SourceKind::kDefault) settings->log.level = log::Level::kWarning;
  auto platform = StartPlatform(*settings);
  if (!platform) return ReportStartError(platform.error());

  settings::ClientSettings client = settings->client;
  client.api_url = (*platform)->api_url();
  client.services_url = (*platform)->services_url();
  if (!settings->server.api_tokens.empty()) client.api_token = settings->server.api_tokens.front();
  Api api(client);
  const auto tasks = MakeDayTasks(*example, *series, kHistory, kWarmUp);
  if (!arguments.Has("json")) {
    fmt::print("{} measurements ({}), {} tasks of one day each; ready after {} ms\n", series->size(), example->unit,
               tasks.size(), (*platform)->start_time().count());
  }
  const auto report = RunExample(api, *example, tasks);
  if (!report) return ReportError(report.error());
  if (arguments.Has("json")) {
    PrintJson(DemoReportJson(*report));
  } else {
    fmt::print("{}", DemoReportText(*example, *report));
  }
  if (arguments.Has("serve")) {
    if (!arguments.Has("json")) {
      PrintLinks(**platform, *report);
      fmt::print("\nServing until Ctrl-C\n");
    }
    std::fflush(stdout);
    ServeUntilSignal(**platform);
    fmt::print(stderr, "\nstopping\n");
  }
  (*platform)->Stop();
  log::Flush();
  return report->failed == 0 && report->unfinished == 0 ? kExitOk : kExitFailed;
}

}  // namespace seedcore::cli
