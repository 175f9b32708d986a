#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

/// Other programs, started and watched as a shell would.
namespace seedcore::test {

struct ProcessOptions {
  std::map<std::string, std::string> environment;  ///< all of it: nothing is inherited
  std::string directory;                           ///< empty: the test's own
  bool terminal = false;                           ///< standard output is a terminal
};

/// A running program; killed by the destructor when it has not ended. Everything waits at most half a minute.
class Process {
 public:
  Process(const std::string& program, const std::vector<std::string>& arguments, const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The first line on standard output that contains `text`, without its end; empty when the program ended or time ran
  /// out before.
  std::string AwaitLine(std::string_view text) { return AwaitLineOf(out_, text); }
  /// The same on standard error.
  std::string AwaitErrorLine(std::string_view text) { return AwaitLineOf(err_, text); }
  void Signal(int signal) const;
  /// Exit code; 128 + n after signal n, as shells have it. -1 when it did not end in time and was killed.
  int Wait();
  [[nodiscard]] std::string out();
  [[nodiscard]] std::string err();

 private:
  void Read(int from, std::string& into);
  std::string AwaitLineOf(const std::string& stream, std::string_view text);

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
  std::mutex mutex_;  // guards out_, err_ and open_
  std::condition_variable changed_;
  std::string out_;
  std::string err_;
  int open_ = 2;  // streams that have not ended
  std::vector<std::jthread> readers_;
};

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};
/// Runs a program to its end.
[[nodiscard]] Outcome RunProcess(const std::string& program, const std::vector<std::string>& arguments,
                                 const ProcessOptions& options);

}  // namespace seedcore::test
