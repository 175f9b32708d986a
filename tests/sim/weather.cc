#include "sim/weather.h"

#include <algorithm>
#include <utility>

namespace seedcore::sim {

using std::chrono::milliseconds;

Result<void> Weather::AtCall(bool may_crash) {
  if (Chance(climate_.slow)) {
    ++counts.slow_calls;
    env_.Advance(UpTo(climate_.slowest));
    Disturb(env_.Now());
  }
  if (may_crash && Chance(climate_.crashes)) throw Crash{};
  if (env_.Now() < outage_until_ || Chance(climate_.fails)) {
    ++counts.failed_calls;
    return Fail(ErrorCode::kUnavailable, "the store does not answer");
  }
  return {};
}

void Weather::DeliverLater(milliseconds latest, std::function<void()> write) {
  ++counts.belated;
  under_way_.push_back({env_.Now() + UpTo(UpTo(latest)), std::move(write)});
}

Instant Weather::NextArrival() const {
  return under_way_.empty() ? Instant::max() : std::ranges::min(under_way_, {}, &UnderWay::arrives).arrives;
}

void Weather::Arrive() {
  const auto next = std::ranges::min_element(under_way_, {}, &UnderWay::arrives);
  const std::function<void()> write = std::move(next->write);
  under_way_.erase(next);
  write();
}

void Weather::Clear() {
  climate_ = {};
  outage_until_ = {};
  Disturb(env_.Now());
}

Weather::Climate ChooseClimate(SimEnv& env) {
  const auto sometimes = [&](double most) { return env.Random() % 3 == 0 ? 0.0 : most * env.RandomUnit(); };
  return {.fails = sometimes(0.1),
          .slow = sometimes(0.1),
          .crashes = sometimes(0.01),
          .loses_wakeup = sometimes(0.5),
          .belated = sometimes(0.4),
          .slowest = env.Random() % 2 == 0 ? milliseconds(200) : milliseconds(15'000),
          .clock_jumps = env.Random() % 3 == 0,
          .locked = sometimes(0.5)};
}

}  // namespace seedcore::sim
