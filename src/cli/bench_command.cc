#include <filesystem>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "base/log.h"
#include "cli/api.h"
#include "cli/local_commands.h"
#include "cli/scratch_folder.h"
#include "cli/terminal.h"
#include "queue/measure.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::cli {
namespace {

using namespace std::chrono_literals;

constexpr int kDefaultTasks = 20'000;
constexpr int kMaxTasks = 1'000'000;
constexpr int kThreads = 32;
constexpr int kLatencySamples = 200;
// Whatever the disk is like, the command ends within 20 s.
constexpr auto kSubmitTime = 6s;
constexpr auto kExecuteTime = 6s;
constexpr auto kLatencyTime = 4s;

struct BenchReport {
  std::string directory;
  std::int64_t tasks = 0;
  double submits_per_s = 0.0;
  double submits_per_commit = 0.0;
  double executed_per_s = 0.0;
  double executed_per_commit = 0.0;
  double start_p50_ms = 0.0;
  double start_p99_ms = 0.0;
  static constexpr auto kFields =
      Fields(Required("directory", &BenchReport::directory, "Where the temporary data was"),
             Required("tasks", &BenchReport::tasks, "Tasks submitted, and executed unless time ran out"),
             Required("submits_per_s", &BenchReport::submits_per_s, "Durable submits, 32 threads, one task per call"),
             Required("submits_per_commit", &BenchReport::submits_per_commit, "Submits that shared one fsync"),
             Required("executed_per_s", &BenchReport::executed_per_s, "Claimed, executed (no work) and completed"),
             Required("executed_per_commit", &BenchReport::executed_per_commit, "Executions per write transaction"),
             Required("start_p50_ms", &BenchReport::start_p50_ms, "From submit to the start of the handler, idle"),
             Required("start_p99_ms", &BenchReport::start_p99_ms, "The same, 99th percentile"));
};

Result<BenchReport> Measure(const std::filesystem::path& folder, int tasks) {
  Env& env = RealEnv();
  Metrics metrics;
  SEEDCORE_ASSIGN_OR_RETURN(const auto store,
                            store::sqlite::OpenSqliteStore({.path = (folder / "bench.db").string()}, env, metrics));
  Progress progress("Measuring");
  progress.Update(0, 3);
  SEEDCORE_ASSIGN_OR_RETURN(const queue::Rate submit, queue::MeasureSubmit(env, store->tasks(), metrics, kThreads,
                                                                           {.tasks = tasks, .time = kSubmitTime}));
  progress.Update(1, 3);
  SEEDCORE_ASSIGN_OR_RETURN(const queue::Rate execute,
                            queue::MeasureExecute(env, store->tasks(), metrics, kThreads, kThreads,
                                                  {.tasks = submit.tasks, .time = kExecuteTime}));
  if (execute.tasks < submit.tasks) {  // what is left would run into the measurement of an idle queue
    return Fail(ErrorCode::kDeadlineExceeded,
                fmt::format("only {} of {} tasks were executed in {} s; try fewer with --tasks", execute.tasks,
                            submit.tasks, kExecuteTime.count()));
  }
  progress.Update(2, 3);
  SEEDCORE_ASSIGN_OR_RETURN(
      const auto latency,
      queue::MeasureStartLatency(env, store->tasks(), metrics, {.tasks = kLatencySamples, .time = kLatencyTime}));
  return BenchReport{.directory = folder.parent_path().string(),
                     .tasks = submit.tasks,
                     .submits_per_s = submit.PerSecond(),
                     .submits_per_commit = submit.TasksPerCommit(),
                     .executed_per_s = execute.PerSecond(),
                     .executed_per_commit = execute.TasksPerCommit(),
                     .start_p50_ms = queue::Quantile(latency, 0.5),
                     .start_p99_ms = queue::Quantile(latency, 0.99)};
}

void PrintReport(const BenchReport& report) {
  const auto line = [](std::string_view what, const std::string& figure, const std::string& note) {
    fmt::print("  {}{:>12}   {}\n", Pad(what, 26), figure, Paint(Color::kDim, note));
  };
  fmt::print("{} tasks in {}, every commit synchronous\n\n", report.tasks, report.directory);
  line("submit", fmt::format("{:.0f} /s", report.submits_per_s),
       fmt::format("{} threads, {:.1f} submits per commit", kThreads, report.submits_per_commit));
  line("claim, execute, complete", fmt::format("{:.0f} /s", report.executed_per_s),
       fmt::format("{} workers, {:.1f} tasks per commit", kThreads, report.executed_per_commit));
  line("submit to start, p50", HumanDuration(report.start_p50_ms), "one task at a time, idle");
  line("submit to start, p99", HumanDuration(report.start_p99_ms), "");
}

}  // namespace

int RunBench(const Arguments& arguments) {
  log::Configure(log::Level::kWarning, log::Format::kText);
  const auto tasks = arguments.Number("tasks", kDefaultTasks);
  if (!tasks) return ReportError(tasks.error());
  if (*tasks < 1 || *tasks > kMaxTasks) {
    return ReportError({ErrorCode::kInvalidArgument, fmt::format("must be within 1 and {}", kMaxTasks), "--tasks"});
  }
  const ScratchFolder scratch(arguments.Get("dir", std::filesystem::temp_directory_path().string()));
  const auto report = Measure(scratch.path(), *tasks);
  if (!report) return ReportError(report.error());
  if (arguments.Has("json")) {
    PrintJson(ToJson(*report));
  } else {
    PrintReport(*report);
  }
  return kExitOk;
}

}  // namespace seedcore::cli
