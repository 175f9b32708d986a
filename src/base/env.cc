#include "base/env.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <random>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/uuid.h"

namespace seedcore {
namespace {

class SystemEnv final : public Env {
 public:
  Instant Now() override { return std::chrono::steady_clock::now(); }

  WallTime WallNow() override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }

  std::uint64_t Random() override {
    thread_local std::mt19937_64 engine = [] {
      std::random_device device;
      std::seed_seq seed{device(), device(), device(), device()};
      return std::mt19937_64(seed);
    }();
    return engine();
  }

  bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable_any& cv, Instant deadline,
                 std::stop_token stop, const std::function<bool()>& ready) override {
    // A wait that far away is for ever; the clock conversion inside the library would overflow on Instant::max().
    if (deadline - Now() > std::chrono::hours(24 * 365)) return cv.wait(lock, std::move(stop), ready);
    return cv.wait_until(lock, std::move(stop), deadline, ready);
  }

  bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) override {
    std::mutex mutex;
    std::condition_variable_any cv;
    std::unique_lock lock(mutex);
    WaitUntil(lock, cv, Now() + duration, stop, [] { return false; });
    return !stop.stop_requested();
  }

  Result<void> Fault(std::string_view) override { return {}; }
};

/// Reads exactly `digits` decimal digits at `text[pos]` and advances.
bool ReadNumber(std::string_view text, std::size_t& pos, std::size_t digits, int& value) {
  if (pos + digits > text.size()) return false;
  const char* begin = text.data() + pos;
  const auto [end, error] = std::from_chars(begin, begin + digits, value);
  if (error != std::errc{} || end != begin + digits || *begin == '-') return false;
  pos += digits;
  return true;
}

bool ReadChar(std::string_view text, std::size_t& pos, char expected) {
  if (pos >= text.size() || text[pos] != expected) return false;
  ++pos;
  return true;
}

}  // namespace

std::string Env::NewId() {
  const auto unix_ms = static_cast<std::uint64_t>(ToUnixMicros(WallNow()) / 1000);
  return MakeUuidV7(unix_ms, Random(), Random());
}

double Env::RandomUnit() { return static_cast<double>(Random() >> 11) * 0x1.0p-53; }

Env& RealEnv() {
  static SystemEnv env;
  return env;
}

std::string ToRfc3339(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = (time - seconds).count();
  const auto days = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(seconds - days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), micros);
}

Result<WallTime> ParseRfc3339(std::string_view text) {
  const auto bad = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not a time; expected RFC 3339, for example 2025-01-31T09:30:00Z", text));
  };
  std::size_t pos = 0;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!ReadNumber(text, pos, 4, year) || !ReadChar(text, pos, '-') || !ReadNumber(text, pos, 2, month) ||
      !ReadChar(text, pos, '-') || !ReadNumber(text, pos, 2, day)) {
    return bad();
  }
  if (pos >= text.size() || (text[pos] != 'T' && text[pos] != 't' && text[pos] != ' ')) return bad();
  ++pos;
  if (!ReadNumber(text, pos, 2, hour) || !ReadChar(text, pos, ':') || !ReadNumber(text, pos, 2, minute) ||
      !ReadChar(text, pos, ':') || !ReadNumber(text, pos, 2, second)) {
    return bad();
  }
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return bad();

  std::int64_t micros = 0;
  if (ReadChar(text, pos, '.')) {
    std::int64_t unit = 100'000;
    const std::size_t start = pos;
    while (pos < text.size() && std::isdigit(static_cast<unsigned char>(text[pos])) != 0) {
      micros += unit * (text[pos] - '0');
      unit /= 10;
      ++pos;
    }
    if (pos == start) return bad();
  }
  std::chrono::minutes offset{0};
  if (pos < text.size() && (text[pos] == '+' || text[pos] == '-')) {
    const int sign = text[pos++] == '-' ? -1 : 1;
    int offset_hours = 0, offset_minutes = 0;
    if (!ReadNumber(text, pos, 2, offset_hours) || !ReadChar(text, pos, ':') ||
        !ReadNumber(text, pos, 2, offset_minutes) || offset_hours > 23 || offset_minutes > 59) {
      return bad();
    }
    offset = std::chrono::minutes(sign * (offset_hours * 60 + offset_minutes));
  } else if (pos < text.size() && (text[pos] == 'Z' || text[pos] == 'z')) {
    ++pos;
  }
  if (pos != text.size()) return bad();
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::microseconds(micros) - offset;
}

}  // namespace seedcore
