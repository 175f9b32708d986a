#include "state/host.h"

#include <charconv>
#include <filesystem>
#include <system_error>

namespace seedcore::state {
namespace {

std::optional<double> DiskPercent(const std::string& path) {
  if (path.empty()) return std::nullopt;
  std::error_code error;
  const auto space = std::filesystem::space(path, error);
  if (error || space.capacity == 0) return std::nullopt;
  return 100.0 * (1.0 - static_cast<double>(space.available) / static_cast<double>(space.capacity));
}

std::optional<double> Percent(std::optional<double> share) {
  return share ? std::optional(100.0 * *share) : std::nullopt;
}

}  // namespace

std::optional<double> ParseLoad(std::string_view proc_loadavg) {
  double value = 0.0;
  const auto [_, error] = std::from_chars(proc_loadavg.data(), proc_loadavg.data() + proc_loadavg.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<double> ParseResidentBytes(std::string_view proc_status) {
  const auto kilobytes = NumberAfter(proc_status, "VmRSS:");
  if (!kilobytes) return std::nullopt;
  return static_cast<double>(*kilobytes) * 1024.0;
}

HostSampler::HostSampler(Env& env, std::string data_dir, std::string proc)
    : env_(env), data_dir_(std::move(data_dir)), proc_(std::move(proc)) {}

HostState HostSampler::Sample() {
  const std::lock_guard lock(mutex_);
  const Instant now = env_.Now();
  if (!measured_at_ || now - *measured_at_ >= std::chrono::seconds(1)) {
    last_ = Measure();
    measured_at_ = now;
  }
  return last_;
}

HostState HostSampler::Measure() {
  HostState host;
  if (const auto times = ParseCpuTimes(ReadKernelFile(proc_ + "/stat"))) {
    // No time has passed on the kernel's clock: the last figure is still the newest.
    host.cpu_percent = times->total == previous_.total ? last_.cpu_percent : Percent(BusyShare(previous_, *times));
    previous_ = *times;
  }
  host.memory_percent = Percent(ParseMemoryShare(ReadKernelFile(proc_ + "/meminfo")));
  host.disk_percent = DiskPercent(data_dir_);
  host.load_1m = ParseLoad(ReadKernelFile(proc_ + "/loadavg"));
  host.process_rss_bytes = ParseResidentBytes(ReadKernelFile(proc_ + "/self/status"));
  return host;
}

}  // namespace seedcore::state
