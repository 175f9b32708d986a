#include "store/admission.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace seedcore::store {
namespace {

constexpr int kMost = 1'000'000;
constexpr std::chrono::milliseconds kLongestInterval = std::chrono::hours(24);
constexpr std::size_t kMaxNameBytes = 255;

std::unexpected<Error> OutOfRange(std::int64_t value, std::int64_t most, const char* field) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}, got {}", most, value), field);
}

Result<void> CheckType(const std::string& type) {
  if (!type.empty() && type.size() <= kMaxNameBytes) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} bytes, got {}", kMaxNameBytes, type.size()),
              "type");
}

/// Tokens are sums of many fractions; a token that is there but for the rounding is there.
constexpr double kRounding = 1e-6;

}  // namespace

Result<void> CheckLimit(const QueueLimit& limit) {
  if (limit.name.empty() || limit.name.size() > kMaxNameBytes) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("expected 1 to {} bytes, got {}", kMaxNameBytes, limit.name.size()), "name");
  }
  if (!limit.max_running && !limit.rate) {
    return Fail(ErrorCode::kInvalidArgument, "a limit needs max_running, a rate, or both", "max_running");
  }
  if (limit.max_running && (*limit.max_running < 1 || *limit.max_running > kMost)) {
    return OutOfRange(*limit.max_running, kMost, "max_running");
  }
  if (!limit.rate) return {};
  if (limit.scope == LimitScope::kKey && limit.name == kEveryKey) {
    return Fail(ErrorCode::kInvalidArgument, "a rate needs one key of its own; every key can have max_running", "rate");
  }
  const RateLimit& rate = *limit.rate;
  if (rate.tasks < 1 || rate.tasks > kMost) return OutOfRange(rate.tasks, kMost, "rate.tasks");
  if (rate.burst < 1 || rate.burst > kMost) return OutOfRange(rate.burst, kMost, "rate.burst");
  if (rate.interval.count() < 1 || rate.interval > kLongestInterval) {
    return Fail(ErrorCode::kInvalidArgument, "expected 1 ms to 1 day", "rate.interval");
  }
  return {};
}

Result<void> CheckRoomFor(std::int64_t others, std::int64_t most, const char* what) {
  if (others < most) return {};
  return Fail(ErrorCode::kResourceExhausted, fmt::format("there are {} {} already", others, what));
}

Result<void> CheckPause(const std::string& type, const std::string& reason) {
  constexpr std::size_t kMaxReasonBytes = 1000;
  SEEDCORE_RETURN_IF_ERROR(CheckType(type));
  if (reason.size() > kMaxReasonBytes) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("longer than {} bytes", kMaxReasonBytes), "reason");
  }
  return {};
}

Result<void> CheckExternalTypes(std::span<const std::string> types) {
  for (const std::string& type : types) SEEDCORE_RETURN_IF_ERROR(CheckType(type));
  return {};
}

std::vector<std::string> NewExternalTypes(std::span<const std::string> types, std::span<const ExternalType> known) {
  std::set<std::string> added(types.begin(), types.end());
  for (const ExternalType& one : known) added.erase(one.type);
  return {added.begin(), added.end()};
}

double TokensAt(const LimitState& state, WallTime now) {
  const RateLimit& rate = *state.limit.rate;
  const double elapsed = std::max(0.0, std::chrono::duration<double, std::milli>(now - state.tokens_at).count());
  const double gained = elapsed * rate.tasks / static_cast<double>(rate.interval.count());
  return std::min(state.tokens + gained, static_cast<double>(rate.burst));
}

int RoomOf(const LimitState& state, std::int64_t running, WallTime now) {
  std::int64_t room = std::numeric_limits<int>::max();
  if (state.limit.max_running) room = *state.limit.max_running - running;
  if (state.limit.rate) {
    room = std::min(room, static_cast<std::int64_t>(std::floor(TokensAt(state, now) + kRounding)));
  }
  return static_cast<int>(std::max<std::int64_t>(room, 0));
}

void TakeTokens(LimitState& state, int began, WallTime now) {
  if (!state.limit.rate) return;
  state.tokens = TokensAt(state, now) - began;
  // A clock that was set back must not earn the same time again.
  state.tokens_at = std::max(state.tokens_at, now);
}

std::optional<WallTime> NextToken(const LimitState& state, WallTime now) {
  if (!state.limit.rate) return std::nullopt;
  constexpr auto kAWhile = std::chrono::milliseconds(100);
  const double missing = std::max(0.0, 1.0 - state.tokens);
  const double wait = missing * static_cast<double>(state.limit.rate->interval.count()) / state.limit.rate->tasks;
  const WallTime at = state.tokens_at + std::chrono::microseconds(std::llround(std::ceil(wait * 1000.0)));
  if (at + kAWhile < now) return std::nullopt;
  return at;
}

Admission::Admission(std::vector<LimitState> limits, std::set<std::string> paused, WallTime now)
    : limits_(std::move(limits)), paused_(std::move(paused)), now_(now) {}

LimitState* Admission::Find(LimitScope scope, const std::string& name) {
  LimitState* every = nullptr;
  for (LimitState& state : limits_) {
    if (state.limit.scope != scope) continue;
    if (state.limit.name == name) return &state;
    if (scope == LimitScope::kKey && state.limit.name == kEveryKey) every = &state;
  }
  return every;
}

bool Admission::NeedsRunning(LimitScope scope, const std::string& name) {
  return !room_.contains({scope, name}) && Find(scope, name) != nullptr;
}

void Admission::SetRunning(LimitScope scope, const std::string& name, std::int64_t running) {
  if (const LimitState* state = Find(scope, name)) room_[{scope, name}] = RoomOf(*state, running, now_);
}

int Admission::RoomFor(LimitScope scope, const std::string& name, int wanted) {
  const auto known = room_.find({scope, name});
  return known == room_.end() ? wanted : std::min(known->second, wanted);
}

void Admission::Begin(const std::string& type, const std::string& key) {
  Use(LimitScope::kType, type);
  if (!key.empty()) Use(LimitScope::kKey, key);
}

void Admission::Use(LimitScope scope, const std::string& name) {
  LimitState* state = Find(scope, name);
  if (state == nullptr) return;
  --room_[{scope, name}];
  if (!state->limit.rate) return;
  TakeTokens(*state, 1, now_);
  changed_.insert(state);
}

std::vector<const LimitState*> Admission::Changed() const { return {changed_.begin(), changed_.end()}; }

}  // namespace seedcore::store
