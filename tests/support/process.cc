#include "support/process.h"

#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace seedcore::test {
namespace {

constexpr std::chrono::seconds kExitPatience{30};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Reading end and writing end.
std::pair<int, int> Pipe() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {ends[0], ends[1]};
}

std::pair<int, int> Terminal() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  EXPECT_EQ(::grantpt(master), 0);
  EXPECT_EQ(::unlockpt(master), 0);
  return {master, ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC)};
}

}  // namespace

Process::Process(const std::string& program, const std::vector<std::string>& arguments, const ProcessOptions& options) {
  const auto [out_read, out_write] = options.terminal ? Terminal() : Pipe();
  const auto [err_read, err_write] = Pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_write, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err_write, STDERR_FILENO);
  if (!options.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment;
  for (const auto& [name, value] : options.environment) environment.push_back(name + "=" + value);
  // A shell that runs the tests in the background has them ignore Control-C, and they would pass that on.
  sigset_t heeded;
  sigemptyset(&heeded);
  sigaddset(&heeded, SIGINT);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &heeded);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const int error = ::posix_spawnp(&pid_, program.c_str(), &actions, &attributes, Pointers(words).data(),
                                   Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out_write);
  ::close(err_write);
  if (error != 0) {
    pid_ = -1;
    exit_code_ = 127;
  }
  readers_.emplace_back([this, from = out_read] { Read(from, out_); });
  readers_.emplace_back([this, from = err_read] { Read(from, err_); });
}

Process::~Process() {
  if (!exit_code_) {
    Signal(SIGKILL);
    Wait();
  }
}

void Process::Read(int from, std::string& into) {
  char buffer[4096];
  while (true) {
    const auto size = ::read(from, buffer, sizeof buffer);  // a terminal whose other end is gone fails with EIO
    if (size < 0 && errno == EINTR) continue;
    const std::scoped_lock lock(mutex_);
    if (size <= 0) --open_;
    if (size > 0) into.append(buffer, static_cast<std::size_t>(size));
    changed_.notify_all();
    if (size <= 0) break;
  }
  ::close(from);
}

std::string Process::AwaitLineOf(const std::string& stream, std::string_view text) {
  std::string found;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kExitPatience, [&] {
    for (std::size_t begin = 0, end = 0; (end = stream.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string_view line = std::string_view(stream).substr(begin, end - begin);
      if (line.find(text) == std::string_view::npos) continue;
      found = line;
      return true;
    }
    return open_ == 0;
  });
  return found;
}

void Process::Signal(int signal) const {
  if (pid_ > 0 && !exit_code_) ::kill(pid_, signal);
}

int Process::Wait() {
  if (!exit_code_) {
    // A descriptor of the process becomes readable when it ends, so that waiting needs neither polling nor signals.
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    pollfd ended{descriptor, POLLIN, 0};
    const auto patience = static_cast<int>(std::chrono::milliseconds(kExitPatience).count());
    const bool in_time = ::poll(&ended, 1, patience) == 1;
    if (!in_time) ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ::close(descriptor);
    exit_code_ = !in_time ? -1 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  readers_.clear();  // joins: what it wrote is complete
  return *exit_code_;
}

std::string Process::out() {
  const std::scoped_lock lock(mutex_);
  return out_;
}

std::string Process::err() {
  const std::scoped_lock lock(mutex_);
  return err_;
}

Outcome RunProcess(const std::string& program, const std::vector<std::string>& arguments,
                   const ProcessOptions& options) {
  Process process(program, arguments, options);
  const int code = process.Wait();
  return {code, process.out(), process.err()};
}

}  // namespace seedcore::test
