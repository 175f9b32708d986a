// No task is lost or completed twice, whenever the process is killed: starts kill_worker, kills it with SIGKILL at a
// random moment, and does so again and again on the same data; then lets it finish and reads the history of every task.
//
//   kill_test WORKER PLACE [KILLS] [SEED]
//
// PLACE: a folder for SQLite, or `postgresql` for a server of its own.

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <set>
#include <signal.h>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "base/env.h"
#include "base/metrics.h"
#include "kill/open_store.h"
#include "store/postgres/testing.h"
#include "support/history.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

/// A worker process and what it has written so far.
class Victim {
 public:
  Victim(const std::string& program, const std::string& place, const char* mode) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) Die("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string arguments[] = {program, place, mode};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
    if (::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ) != 0) Die("spawn " + program);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    reader_ = std::jthread([this, from = ends[0]] { Read(from); });
  }

  /// Kills it, waits for it and returns the whole lines it wrote.
  std::set<std::string> Kill() {
    ::kill(pid_, SIGKILL);
    const int status = Wait();
    // It must have died by our hand: another end is a failure that must not pass for a kill.
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
      Die(fmt::format("the worker ended by itself ({})", status));
    return Lines();
  }

  /// Its exit status, or -1 when it did not end in time.
  int AwaitExit(std::chrono::seconds limit) {
    std::jthread guard([this, limit](const std::stop_token& stop) {
      if (RealEnv().SleepFor(limit, stop)) ::kill(pid_, SIGKILL);
    });
    const int status = Wait();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  [[noreturn]] static void Die(const std::string& what) {
    fmt::print(stderr, "kill_test: {}\n", what);
    std::exit(2);
  }

 private:
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    reader_.join();
    return status;
  }

  void Read(int from) {
    char buffer[4096];
    for (ssize_t count; (count = ::read(from, buffer, sizeof buffer)) > 0;) {
      output_.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(from);
  }

  std::set<std::string> Lines() const {
    std::set<std::string> lines;
    for (std::size_t begin = 0, end; (end = output_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      lines.insert(output_.substr(begin, end - begin));
    }
    return lines;
  }

  pid_t pid_ = 0;
  std::string output_;  // the reader's until it has ended
  std::jthread reader_;
};

std::vector<store::TaskEvent> ReadHistory(const std::string& place) {
  Metrics metrics;
  auto store = test::OpenStore(place, RealEnv(), metrics);
  if (!store) Victim::Die("open: " + ToString(store.error()));
  std::vector<store::TaskEvent> events;
  for (;;) {
    auto page = (*store)->tasks().EventsAfter(events.empty() ? 0 : events.back().seq, 1000);
    if (!page) Victim::Die("events: " + ToString(page.error()));
    if (page->empty()) return events;
    events.insert(events.end(), page->begin(), page->end());
  }
}

int Main(const std::string& worker, const std::string& place, int kills, unsigned seed) {
  if (!test::IsDsn(place)) {
    std::filesystem::remove_all(place);
    std::filesystem::create_directories(place);
  }
  std::mt19937 random(seed);
  const Instant started = RealEnv().Now();

  std::set<std::string> acknowledged;
  for (int i = 0; i < kills; ++i) {
    Victim victim(worker, place, "load");
    // From before the store is open to well into the work.
    RealEnv().SleepFor(std::chrono::milliseconds(20 + random() % 480), {});
    acknowledged.merge(victim.Kill());
  }
  const int drained = Victim(worker, place, "drain").AwaitExit(60s);
  if (drained != 0) Victim::Die(fmt::format("the tasks did not come to their end ({})", drained));

  const std::vector<store::TaskEvent> events = ReadHistory(place);
  // Each kill may cost an execution; besides, a task fails once at most.
  const auto report = test::CheckHistory(events, acknowledged, {.max_executions = kills + 2});
  fmt::print(
      "{} kills in {:.1f} s, seed {}: {} tasks, {} acknowledged, {} events, {} claims, {} leases expired, {} retries, "
      "at most {} executions of a task\n",
      kills, std::chrono::duration<double>(RealEnv().Now() - started).count(), seed, report.tasks, acknowledged.size(),
      events.size(), report.claims, report.lease_expiries, report.retries, report.most_executions);
  for (const std::string& violation : report.violations) fmt::print(stderr, "VIOLATION {}\n", violation);
  if (acknowledged.empty() || report.lease_expiries == 0) Victim::Die("the kills met no work: the test shows nothing");
  if (!report.violations.empty()) return 1;
  if (!test::IsDsn(place)) std::filesystem::remove_all(place);
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    fmt::print(stderr, "usage: kill_test WORKER PLACE [KILLS] [SEED]\n");
    return 2;
  }
  std::string place = argv[2];
  std::unique_ptr<seedcore::store::postgres::TestServer> server;
  if (place == "postgresql") {
    server = std::make_unique<seedcore::store::postgres::TestServer>();
    server->CreateDatabase("kill");
    place = server->Dsn("kill");
  }
  return seedcore::Main(argv[1], place, argc > 3 ? std::atoi(argv[3]) : 50,
                        argc > 4 ? static_cast<unsigned>(std::atoi(argv[4])) : 1);
}
