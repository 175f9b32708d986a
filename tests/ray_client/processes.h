#pragma once

#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

/// Other programs, for tests that need real ones.
namespace seedcore::testing {

/// Runs a program with `variables` added to this process's environment; its output goes to `log`. Returns its process
/// id.
inline pid_t Spawn(const std::vector<std::string>& arguments, const std::vector<std::string>& variables,
                   const std::filesystem::path& log) {
  std::vector<std::string> environment = variables;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  const auto pointers = [](const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
  };
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t process = -1;
  const int failed = ::posix_spawn(&process, arguments.front().c_str(), &actions, nullptr, pointers(arguments).data(),
                                   pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(failed, 0) << arguments.front();
  return process;
}

/// Runs a program to its end and returns its exit status.
inline int Run(const std::vector<std::string>& arguments, const std::vector<std::string>& variables,
               const std::filesystem::path& log) {
  const pid_t process = Spawn(arguments, variables, log);
  int status = -1;
  if (process < 0 || ::waitpid(process, &status, 0) != process) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The processes whose command line or environment contains `text`, without this one.
inline std::vector<pid_t> ProcessesWith(std::string_view text) {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto process = static_cast<pid_t>(std::stol(name));
    if (process == ::getpid()) continue;
    const bool is_meant =
        ReadWhole(entry.path() / "cmdline").contains(text) || ReadWhole(entry.path() / "environ").contains(text);
    if (is_meant) found.push_back(process);
  }
  return found;
}

/// Bytes of a process, pages that it shares with others counted in part; 0 once it has ended.
inline std::uint64_t ProportionalMemory(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/smaps_rollup");
  for (std::string name; in >> name;) {
    std::uint64_t kilobytes = 0;
    if (name == "Pss:") return in >> kilobytes ? kilobytes * 1024 : 0;
  }
  return 0;
}

}  // namespace seedcore::testing
