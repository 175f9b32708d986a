#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

/// What Linux says of a machine in /proc and /sys. Parsing is apart from reading, so that tests bring the text.
namespace seedcore {

/// Time since boot, in ticks of the kernel, over all cores.
struct CpuTimes {
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
};
/// The first line of /proc/stat.
[[nodiscard]] std::optional<CpuTimes> ParseCpuTimes(std::string_view proc_stat);
/// Share of the time between two readings that the cores were busy, 0..1. Absent when no time has passed on the
/// kernel's clock, or its counters went back.
[[nodiscard]] std::optional<double> BusyShare(const CpuTimes& before, const CpuTimes& after);
/// Share of memory in use, 1 - MemAvailable / MemTotal, from /proc/meminfo.
[[nodiscard]] std::optional<double> ParseMemoryShare(std::string_view proc_meminfo);

/// The whole number that `text` begins with.
[[nodiscard]] std::optional<std::uint64_t> LeadingNumber(std::string_view text);
/// The number right after `key`, such as "MemTotal:" or "usage_usec ", in the first line that begins with it.
[[nodiscard]] std::optional<std::uint64_t> NumberAfter(std::string_view text, std::string_view key);
/// The whole file; empty when it cannot be read.
[[nodiscard]] std::string ReadKernelFile(const std::filesystem::path& path);

}  // namespace seedcore
