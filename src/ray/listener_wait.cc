#include "ray/listener_wait.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/strings.h"
#include "ray/listener_check.h"

namespace seedcore::ray {
namespace {

constexpr std::chrono::seconds kDefaultPatience{30};
constexpr double kLongestPatienceS = 3600.0;
constexpr std::chrono::milliseconds kBetweenLooks{250};
/// A network that swallows what it is sent would take all the time for one look.
constexpr std::chrono::seconds kOneLook{2};

}  // namespace

Result<std::chrono::milliseconds> ConnectPatience(std::string_view text) {
  const std::string_view number = Trim(text);
  if (number.empty()) return kDefaultPatience;
  double seconds = -1.0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds);
  const bool is_number = error == std::errc{} && end == number.data() + number.size();
  if (!is_number || !(seconds >= 0.0 && seconds <= kLongestPatienceS)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}={}: expected seconds, 0 to {}", kConnectPatienceVariable, number, kLongestPatienceS));
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1'000));
}

bool AwaitListener(const net::HostPort& where, const CallContext& call, Env& env) {
  while (true) {
    if (IsListening(where, std::min(call.deadline, env.Now() + kOneLook), env)) return true;
    if (env.Now() + kBetweenLooks >= call.deadline || !env.SleepFor(kBetweenLooks, call.stop)) return false;
  }
}

}  // namespace seedcore::ray
