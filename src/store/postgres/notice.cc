#include "store/postgres/notice.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <fmt/format.h>

namespace seedcore::store::postgres {
namespace {

// Flags, then in this order: claimers, readers, tasks, mark (also that of an announced word), the drained word's mark
// and types, and the time of the count, which earlier versions leave out. All decimal.
constexpr std::size_t kNumbers = 7;
constexpr std::size_t kLeastNumbers = 6;
constexpr std::int64_t kMostListeners = 1'000'000;

std::array<std::uint64_t, kNumbers> ReadNumbers(std::string_view text, std::size_t& count) {
  std::array<std::uint64_t, kNumbers> numbers{};
  while (count < kNumbers && !text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), numbers.at(count));
    if (error != std::errc()) break;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    ++count;
  }
  return numbers;
}

int ToCount(std::uint64_t number) {
  return static_cast<int>(std::min<std::uint64_t>(number, static_cast<std::uint64_t>(kMostListeners)));
}

}  // namespace

std::string ToPayload(const Notice& notice) {
  std::string flags;
  if (notice.runnable.tasks > 0) flags += 'r';
  if (notice.events) flags += 'e';
  if (notice.hello) flags += 'h';
  if (notice.drained) flags += 'd';
  if (notice.announced != 0) flags += 'a';
  if (!notice.listeners) flags += 'u';
  const Listeners listeners = notice.listeners.value_or(Listeners{});
  const Drained drained = notice.drained.value_or(Drained{});
  return fmt::format("{} {} {} {} {} {} {} {}", flags, listeners.claimers, listeners.readers, notice.runnable.tasks,
                     notice.announced != 0 ? notice.announced : notice.runnable.mark, drained.mark, drained.types,
                     notice.counted_at);
}

Notice ReadPayload(std::string_view payload) {
  const std::string_view flags = payload.substr(0, payload.find(' '));
  std::size_t count = 0;
  const auto numbers = ReadNumbers(payload.substr(flags.size()), count);
  Notice notice;
  notice.events = flags.contains('e');
  notice.hello = flags.contains('h');
  if (flags.contains('r')) notice.runnable.tasks = 1;
  notice.older = count < kLeastNumbers;
  if (notice.older) return notice;
  if (!flags.contains('u')) notice.listeners = Listeners{ToCount(numbers[0]), ToCount(numbers[1])};
  if (notice.listeners && count == kNumbers) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    notice.counted_at = static_cast<std::int64_t>(std::min(numbers[6], kMost));
  }
  if (flags.contains('r')) {
    constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
    notice.runnable.tasks = static_cast<std::int64_t>(std::clamp<std::uint64_t>(numbers[2], 1, kMost));
    notice.runnable.mark = static_cast<std::uint32_t>(numbers[3]);
  }
  if (flags.contains('a')) notice.announced = static_cast<std::uint32_t>(numbers[3]);
  if (flags.contains('d')) notice.drained = Drained{static_cast<std::uint32_t>(numbers[4]), numbers[5]};
  return notice;
}

std::optional<std::int32_t> LockOfAnnounced(std::uint32_t mark) {
  return mark != 0 ? std::optional(static_cast<std::int32_t>(mark)) : std::nullopt;
}

}  // namespace seedcore::store::postgres
