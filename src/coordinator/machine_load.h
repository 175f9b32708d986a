#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/env.h"
#include "base/proc.h"

namespace seedcore::coordinator {

/// The cores a cgroup may use, from cpu.max ("150000 100000" is 1.5); absent when there is no limit.
[[nodiscard]] std::optional<double> ParseCpuMax(std::string_view text);

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
