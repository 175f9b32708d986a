// The victim of the kill test: opens a store, submits tasks and dispatches them, until it is killed.
//
//   kill_worker PLACE load     submits and dispatches for ever; writes the ids of submitted tasks to standard output
//   kill_worker PLACE drain    dispatches only; exits with 0 once every task has come to its end
//   kill_worker PLACE share    as drain, beside other processes on the same store
//   kill_worker PLACE slow     submits 80 tasks that take nearly a lease each, then drains; writes "lease_lost N" at
//   last
//
// PLACE: a folder (SQLite), or a DSN (PostgreSQL).

#include <atomic>
#include <semaphore>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kill/open_store.h"
#include "queue/dispatcher.h"
#include "queue/reaper.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

constexpr int kSubmitters = 4;
constexpr int kBacklog = 200;  ///< tasks submitted and not yet executed, so that the drain stays short

[[noreturn]] void Die(std::string_view what, const Error& error) {
  fmt::print(stderr, "kill_worker: {}: {}\n", what, ToString(error));
  std::exit(2);
}

/// One write of less than PIPE_BUF bytes: the parent sees all of it or nothing.
void Acknowledge(const std::vector<store::SubmitResult>& submitted) {
  std::string lines;
  for (const store::SubmitResult& result : submitted) lines += result.task.id + "\n";
  if (::write(STDOUT_FILENO, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) std::exit(3);
}

void Submit(Env& env, store::TaskStore& tasks, std::counting_semaphore<>& room) {
  for (;;) {
    std::vector<store::NewTask> batch(1 + env.Random() % 8);
    for (store::NewTask& task : batch) {
      room.acquire();
      task.type = "work";
      task.retry = {.max_attempts = 100, .base = 5ms, .max = 50ms};
      task.params["fails"] = env.Random() % 16 == 0;
      task.params["slow"] = env.Random() % 16 == 0;
    }
    const auto submitted = tasks.Submit(batch);
    if (!submitted) Die("submit", submitted.error());
    Acknowledge(*submitted);
  }
}

/// Some tasks fail at first, some take a while, so that a kill meets every state.
queue::TaskOutcome Execute(Env& env, std::chrono::milliseconds slow, const store::Task& task, const CallContext& call) {
  if (task.params.at("slow").as_bool()) env.SleepFor(slow, call.stop);
  if (task.params.at("fails").as_bool() && task.attempts == 1) {
    return queue::TaskOutcome::Fail({ErrorCode::kUnavailable, "fails at first", {}});
  }
  return queue::TaskOutcome::Complete(json::object{{"attempt", task.attempts}});
}

void SubmitSlow(store::TaskStore& tasks) {
  store::NewTask task{.type = "work", .retry = {.max_attempts = 100, .base = 5ms, .max = 50ms}};
  task.params = {{"fails", false}, {"slow", true}};
  const auto submitted = tasks.Submit(std::vector<store::NewTask>(80, task));
  if (!submitted) Die("submit", submitted.error());
  Acknowledge(*submitted);
}

bool AllEnded(store::TaskStore& tasks) {
  const auto counts = tasks.Counts();
  if (!counts) Die("counts", counts.error());
  std::int64_t open = 0;
  for (const auto& [status, count] : counts->by_status) {
    if (!store::IsTerminal(status)) open += count;
  }
  return open == 0;
}

int Main(const std::string& place, std::string_view mode) {
  log::Configure(log::Level::kError, log::Format::kText);
  Env& env = RealEnv();
  Metrics metrics;
  auto store = test::OpenStore(place, env, metrics, mode == "share");
  if (!store) Die("open", store.error());
  store::TaskStore& tasks = (*store)->tasks();

  std::counting_semaphore<> room(kBacklog);
  queue::Reaper reaper(env, tasks, metrics, {.period = 100ms});
  queue::Dispatcher dispatcher(env, tasks, metrics, {.name = "victim", .concurrency = 8, .lease = 500ms, .poll = 200ms},
                               [&](const store::Task& task, const CallContext& call) {
                                 if (task.attempts == 1) room.release();
                                 return Execute(env, mode == "slow" ? 400ms : 30ms, task, call);
                               });
  if (mode == "slow") SubmitSlow(tasks);
  if (mode == "drain" || mode == "share" || mode == "slow") {
    while (!AllEnded(tasks)) env.SleepFor(20ms, {});
    if (mode == "slow") fmt::print("lease_lost {}\n", dispatcher.Status().lease_lost);
    return 0;
  }
  std::vector<std::jthread> submitters;
  for (int i = 0; i < kSubmitters; ++i) submitters.emplace_back([&] { Submit(env, tasks, room); });
  return 1;  // never reached: the submitters do not end
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: kill_worker PLACE load|drain|share|slow\n");
    return 2;
  }
  return seedcore::Main(argv[1], argv[2]);
}
