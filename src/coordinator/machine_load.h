#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/env.h"

namespace seedcore::coordinator {

/// Time since boot, in ticks of the kernel, over all cores.
struct CpuTimes {
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
};

/// The first line of /proc/stat.
[[nodiscard]] std::optional<CpuTimes> ParseProcStat(std::string_view text);
/// Share of memory in use, 1 - MemAvailable / MemTotal, from /proc/meminfo.
[[nodiscard]] std::optional<double> ParseMeminfo(std::string_view text);
/// The cores a cgroup may use, from cpu.max ("150000 100000" is 1.5); absent when there is no limit.
[[nodiscard]] std::optional<double> ParseCpuMax(std::string_view text);
/// CPU time a cgroup has used, in microseconds, from cpu.stat.
[[nodiscard]] std::optional<std::uint64_t> ParseCpuStat(std::string_view text);

/// How busy this machine is, or this container where a cgroup (version 2) limits it. Reads the kernel's files at most
/// once a second and answers from the last reading in between. Thread-safe.
class MachineLoad {
 public:
  /// `root`: where proc/ and sys/ are found; another one than "/" only in tests.
  explicit MachineLoad(Env& env, std::filesystem::path root = "/");

  struct Reading {
    std::optional<double> cpu_utilization;     ///< 0..1 over the last second or more; absent until the second reading
    std::optional<double> memory_utilization;  ///< 0..1
  };
  [[nodiscard]] Reading Read();

 private:
  [[nodiscard]] std::optional<double> ReadCpu(Instant now);
  [[nodiscard]] std::optional<double> ReadMemory() const;

  Env& env_;
  const std::filesystem::path root_;
  std::mutex mutex_;  // guards everything below
  std::optional<Instant> read_at_;
  std::optional<CpuTimes> machine_;
  std::optional<std::uint64_t> container_us_;
  Reading last_;
};

}  // namespace seedcore::coordinator
