#pragma once

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/metrics.h"
#include "kill/open_store.h"
#include "support/history.h"

namespace seedcore {

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

  /// Waits until it has begun to work, which is when it writes its first line. On a loaded machine that can take longer
  /// than any time that a test would call long; it gives up after half a minute.
  void AwaitWork() {
    std::unique_lock lock(mutex_);
    const bool works = RealEnv().WaitUntil(lock, changed_, RealEnv().Now() + std::chrono::seconds(30), {},
                                           [&] { return ended_ || output_.find('\n') != std::string::npos; });
    if (!works) Die("the worker did not begin to work");
  }

  /// The process stands still, and does not know it, until Resume.
  void Pause() { ::kill(pid_, SIGSTOP); }
  void Resume() { ::kill(pid_, SIGCONT); }

  /// The whole lines it has written, once it has ended.
  [[nodiscard]] std::set<std::string> Lines() const {
    const std::scoped_lock lock(mutex_);
    std::set<std::string> lines;
    for (std::size_t begin = 0, end; (end = output_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      lines.insert(output_.substr(begin, end - begin));
    }
    return lines;
  }

  [[noreturn]] static void Die(const std::string& what) {
    fmt::print(stderr, "{}: {}\n", program_invocation_short_name, what);
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
      const std::scoped_lock lock(mutex_);
      output_.append(buffer, static_cast<std::size_t>(count));
      changed_.notify_all();
    }
    ::close(from);
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  pid_t pid_ = 0;
  mutable std::mutex mutex_;  // guards output_ and ended_
  std::condition_variable_any changed_;
  std::string output_;
  bool ended_ = false;
  std::jthread reader_;
};

/// All events of the store at a place (see open_store.h) that nobody uses any more.
inline std::vector<store::TaskEvent> ReadHistory(const std::string& place) {
  Metrics metrics;
  auto store = test::OpenStore(place, RealEnv(), metrics);
  if (!store) Victim::Die("open: " + ToString(store.error()));
  auto events = test::ReadHistory((*store)->tasks());
  if (!events) Victim::Die("events: " + ToString(events.error()));
  return *std::move(events);
}

}  // namespace seedcore
