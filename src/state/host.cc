#include "state/host.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "base/strings.h"

namespace seedcore::state {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The number after "name:" in a file of "name: number unit" lines.
std::optional<double> NumberAfter(std::string_view text, std::string_view name) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    const std::string_view rest = Trim(line.substr(name.size() + 1));
    double value = 0.0;
    const auto [_, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error == std::errc()) return value;
  }
  return std::nullopt;
}

std::optional<double> DiskPercent(const std::string& path) {
  if (path.empty()) return std::nullopt;
  std::error_code error;
  const auto space = std::filesystem::space(path, error);
  if (error || space.capacity == 0) return std::nullopt;
  return 100.0 * (1.0 - static_cast<double>(space.available) / static_cast<double>(space.capacity));
}

}  // namespace

std::optional<CpuTimes> ParseCpuTimes(std::string_view proc_stat) {
  if (!proc_stat.starts_with("cpu ")) return std::nullopt;
  const std::string_view line = proc_stat.substr(4, proc_stat.find('\n') - 4);
  std::istringstream fields{std::string(line)};
  // user nice system idle iowait irq softirq steal; guest time is already part of user.
  std::uint64_t value = 0;
  CpuTimes times;
  int index = 0;
  for (; index < 8 && fields >> value; ++index) {
    times.total += value;
    if (index != 3 && index != 4) times.busy += value;
  }
  if (index < 4) return std::nullopt;
  return times;
}

std::optional<double> ParseMemoryPercent(std::string_view proc_meminfo) {
  const auto total = NumberAfter(proc_meminfo, "MemTotal");
  const auto available = NumberAfter(proc_meminfo, "MemAvailable");
  if (!total || !available || *total <= 0.0) return std::nullopt;
  return 100.0 * (1.0 - *available / *total);
}

std::optional<double> ParseLoad(std::string_view proc_loadavg) {
  double value = 0.0;
  const auto [_, error] = std::from_chars(proc_loadavg.data(), proc_loadavg.data() + proc_loadavg.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<double> ParseResidentBytes(std::string_view proc_status) {
  const auto kilobytes = NumberAfter(proc_status, "VmRSS");
  if (!kilobytes) return std::nullopt;
  return *kilobytes * 1024.0;
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
  if (const auto times = ParseCpuTimes(ReadFile(proc_ + "/stat"))) {
    const auto total = static_cast<double>(times->total - previous_.total);
    const auto busy = static_cast<double>(times->busy - previous_.busy);
    // No time has passed on the kernel's clock: the last figure is still the newest.
    host.cpu_percent = times->total > previous_.total ? std::optional(100.0 * busy / total) : last_.cpu_percent;
    previous_ = *times;
  }
  host.memory_percent = ParseMemoryPercent(ReadFile(proc_ + "/meminfo"));
  host.disk_percent = DiskPercent(data_dir_);
  host.load_1m = ParseLoad(ReadFile(proc_ + "/loadavg"));
  host.process_rss_bytes = ParseResidentBytes(ReadFile(proc_ + "/self/status"));
  return host;
}

}  // namespace seedcore::state
