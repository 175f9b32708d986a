#include "base/proc.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/strings.h"

namespace seedcore {

std::optional<CpuTimes> ParseCpuTimes(std::string_view proc_stat) {
  const std::string_view line = proc_stat.substr(0, proc_stat.find('\n'));
  if (!line.starts_with("cpu ")) return std::nullopt;
  // user nice system idle iowait irq softirq steal; guest times are already part of user.
  const std::vector<std::string> fields = SplitList(line.substr(4), ' ');
  if (fields.size() < 4) return std::nullopt;
  CpuTimes times;
  for (std::size_t i = 0; i < std::min<std::size_t>(fields.size(), 8); ++i) {
    const auto ticks = LeadingNumber(fields[i]);
    if (!ticks) return std::nullopt;
    times.total += *ticks;
    if (i != 3 && i != 4) times.busy += *ticks;
  }
  return times;
}

std::optional<double> BusyShare(const CpuTimes& before, const CpuTimes& after) {
  if (after.total <= before.total || after.busy < before.busy) return std::nullopt;
  const auto busy = static_cast<double>(after.busy - before.busy);
  return std::min(1.0, busy / static_cast<double>(after.total - before.total));
}

std::optional<double> ParseMemoryShare(std::string_view proc_meminfo) {
  const auto total = NumberAfter(proc_meminfo, "MemTotal:");
  const auto available = NumberAfter(proc_meminfo, "MemAvailable:");
  if (!total || !available || *total == 0 || *available > *total) return std::nullopt;
  return 1.0 - static_cast<double>(*available) / static_cast<double>(*total);
}

std::optional<std::uint64_t> LeadingNumber(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> NumberAfter(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(key)) return LeadingNumber(Trim(line.substr(key.size())));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

std::string ReadKernelFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace seedcore
