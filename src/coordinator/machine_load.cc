#include "coordinator/machine_load.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/strings.h"

namespace seedcore::coordinator {
namespace {

constexpr auto kReadEvery = std::chrono::seconds(1);

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

/// The number after `key` at the beginning of a line.
std::optional<std::uint64_t> Field(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(key)) return Number(Trim(line.substr(key.size())));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

std::optional<CpuTimes> ParseProcStat(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  if (!line.starts_with("cpu ")) return std::nullopt;
  // user nice system idle iowait irq softirq steal; guest times are already part of user.
  const std::vector<std::string> fields = SplitList(line.substr(4), ' ');
  if (fields.size() < 4) return std::nullopt;
  CpuTimes times;
  for (std::size_t i = 0; i < std::min<std::size_t>(fields.size(), 8); ++i) {
    const auto ticks = Number(fields[i]);
    if (!ticks) return std::nullopt;
    times.total += *ticks;
    if (i != 3 && i != 4) times.busy += *ticks;
  }
  return times;
}

std::optional<double> ParseMeminfo(std::string_view text) {
  const auto total = Field(text, "MemTotal:");
  const auto available = Field(text, "MemAvailable:");
  if (!total || !available || *total == 0 || *available > *total) return std::nullopt;
  return 1.0 - static_cast<double>(*available) / static_cast<double>(*total);
}

std::optional<double> ParseCpuMax(std::string_view text) {
  const std::vector<std::string> fields = SplitList(Trim(text), ' ');
  if (fields.size() != 2) return std::nullopt;
  const auto quota = Number(fields[0]);
  const auto period = Number(fields[1]);
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<std::uint64_t> ParseCpuStat(std::string_view text) { return Field(text, "usage_usec "); }

MachineLoad::MachineLoad(Env& env, std::filesystem::path root) : env_(env), root_(std::move(root)) {
  static_cast<void>(Read());
}

MachineLoad::Reading MachineLoad::Read() {
  const std::lock_guard lock(mutex_);
  const Instant now = env_.Now();
  if (read_at_ && now - *read_at_ < kReadEvery) return last_;
  last_ = {.cpu_utilization = ReadCpu(now), .memory_utilization = ReadMemory()};
  read_at_ = now;
  return last_;
}

std::optional<double> MachineLoad::ReadCpu(Instant now) {
  const std::filesystem::path cgroup = root_ / "sys/fs/cgroup";
  if (const auto cores = ParseCpuMax(ReadAll(cgroup / "cpu.max")); cores && *cores > 0.0) {
    const auto used = ParseCpuStat(ReadAll(cgroup / "cpu.stat"));
    const auto before = std::exchange(container_us_, used);
    if (!used || !before || !read_at_ || *used < *before) return std::nullopt;
    const double elapsed_us = std::chrono::duration<double, std::micro>(now - *read_at_).count();
    return std::clamp(static_cast<double>(*used - *before) / (elapsed_us * *cores), 0.0, 1.0);
  }
  const auto times = ParseProcStat(ReadAll(root_ / "proc/stat"));
  const auto before = std::exchange(machine_, times);
  if (!times || !before || times->total <= before->total || times->busy < before->busy) return std::nullopt;
  const auto busy = static_cast<double>(times->busy - before->busy);
  return std::min(1.0, busy / static_cast<double>(times->total - before->total));
}

std::optional<double> MachineLoad::ReadMemory() const {
  const std::filesystem::path cgroup = root_ / "sys/fs/cgroup";
  const auto limit = Number(Trim(ReadAll(cgroup / "memory.max")));  // "max" when there is none
  const auto used = Number(Trim(ReadAll(cgroup / "memory.current")));
  if (limit && used && *limit > 0) {
    // The kernel gives inactive file pages back before it runs short: they are not in use.
    const std::uint64_t idle = Field(ReadAll(cgroup / "memory.stat"), "inactive_file ").value_or(0);
    return std::min(1.0, static_cast<double>(*used - std::min(*used, idle)) / static_cast<double>(*limit));
  }
  return ParseMeminfo(ReadAll(root_ / "proc/meminfo"));
}

}  // namespace seedcore::coordinator
