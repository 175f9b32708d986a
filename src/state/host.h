#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/proc.h"
#include "state/unified_state.h"

/// Measurements of the machine, from the Linux /proc file system.
namespace seedcore::state {

/// First field of /proc/loadavg.
[[nodiscard]] std::optional<double> ParseLoad(std::string_view proc_loadavg);
/// Resident set in bytes, from the VmRSS line of /proc/self/status.
[[nodiscard]] std::optional<double> ParseResidentBytes(std::string_view proc_status);

/// Reads the machine at most once a second; between readings it answers from the last one. What cannot be read is
/// absent. Thread-safe.
class HostSampler {
 public:
  /// `data_dir`: the file system whose fill is reported; empty: none. `proc`: where /proc is mounted.
  explicit HostSampler(Env& env, std::string data_dir = {}, std::string proc = "/proc");

  /// The first reading knows CPU use since boot, later ones since the reading before.
  [[nodiscard]] HostState Sample();

 private:
  [[nodiscard]] HostState Measure();

  Env& env_;
  const std::string data_dir_;
  const std::string proc_;
  std::mutex mutex_;  // guards everything below
  std::optional<Instant> measured_at_;
  CpuTimes previous_;
  HostState last_;
};

}  // namespace seedcore::state
