#include "coordinator/machine_load.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace seedcore::coordinator {
namespace {

constexpr auto kReadEvery = std::chrono::seconds(1);

}  // namespace

std::optional<double> ParseCpuMax(std::string_view text) {
  const std::vector<std::string> fields = SplitList(Trim(text), ' ');
  if (fields.size() != 2) return std::nullopt;
  const auto quota = LeadingNumber(fields[0]);
  const auto period = LeadingNumber(fields[1]);
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

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
  if (const auto cores = ParseCpuMax(ReadKernelFile(cgroup / "cpu.max")); cores && *cores > 0.0) {
    const auto used = NumberAfter(ReadKernelFile(cgroup / "cpu.stat"), "usage_usec ");
    const auto before = std::exchange(container_us_, used);
    if (!used || !before || !read_at_ || *used < *before) return std::nullopt;
    const double elapsed_us = std::chrono::duration<double, std::micro>(now - *read_at_).count();
    return std::clamp(static_cast<double>(*used - *before) / (elapsed_us * *cores), 0.0, 1.0);
  }
  const auto times = ParseCpuTimes(ReadKernelFile(root_ / "proc/stat"));
  const auto before = std::exchange(machine_, times);
  return times && before ? BusyShare(*before, *times) : std::nullopt;
}

std::optional<double> MachineLoad::ReadMemory() const {
  const std::filesystem::path cgroup = root_ / "sys/fs/cgroup";
  const auto limit = LeadingNumber(Trim(ReadKernelFile(cgroup / "memory.max")));  // "max" when there is none
  const auto used = LeadingNumber(Trim(ReadKernelFile(cgroup / "memory.current")));
  if (limit && used && *limit > 0) {
    // The kernel gives inactive file pages back before it runs short: they are not in use.
    const std::uint64_t idle = NumberAfter(ReadKernelFile(cgroup / "memory.stat"), "inactive_file ").value_or(0);
    return std::min(1.0, static_cast<double>(*used - std::min(*used, idle)) / static_cast<double>(*limit));
  }
  return ParseMemoryShare(ReadKernelFile(root_ / "proc/meminfo"));
}

}  // namespace seedcore::coordinator
