#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/queue_store.h"

/// Whether a task may be claimed under pauses and limits. Pure: the stores read the rows, ask here, and write what
/// changed, all in the transaction of the claim.
namespace seedcore::store {

/// Every claim reads the limits and pauses there are. One more is refused with kResourceExhausted.
inline constexpr std::int64_t kMaxLimits = 10'000;
inline constexpr std::int64_t kMaxPauses = 1'000;
/// Every process keeps these in memory.
inline constexpr std::int64_t kMaxExternalTypes = 1'000;

/// `others`: how many there are beside the one that is put.
[[nodiscard]] Result<void> CheckRoomFor(std::int64_t others, std::int64_t most, const char* what);

/// A limit as it is stored, with what was in its bucket at a time.
struct LimitState {
  QueueLimit limit;
  double tokens = 0.0;
  WallTime tokens_at;
};

/// The tokens in the bucket at `now`. A clock that was set back adds none.
[[nodiscard]] double TokensAt(const LimitState& state, WallTime now);
/// How many more may begin now while `running` run; never negative.
[[nodiscard]] int RoomOf(const LimitState& state, std::int64_t running, WallTime now);
/// `began` executions have begun.
void TakeTokens(LimitState& state, int began, WallTime now);
/// When the bucket will hold a whole token, for somebody who would sleep until then. Nothing without a rate, and
/// nothing when the token has been there for a while, so that whoever waits for something else does not stay awake over
/// it.
[[nodiscard]] std::optional<WallTime> NextToken(const LimitState& state, WallTime now);

/// The room that one claim has. First told what there is, then asked task by task in the order of claiming.
class Admission {
 public:
  Admission(std::vector<LimitState> limits, std::set<std::string> paused, WallTime now);

  [[nodiscard]] bool IsPaused(const std::string& type) const { return paused_.contains(type); }
  /// The limit the scope and name fall under; null when none does.
  [[nodiscard]] LimitState* Find(LimitScope scope, const std::string& name);
  /// Whether RoomFor has to be told about this name before it is asked; types and keys under no limit have no room to
  /// be told.
  [[nodiscard]] bool NeedsRunning(LimitScope scope, const std::string& name);
  void SetRunning(LimitScope scope, const std::string& name, std::int64_t running);
  /// At most `wanted`.
  [[nodiscard]] int RoomFor(LimitScope scope, const std::string& name, int wanted);
  /// One task begins. `key` may be empty.
  void Begin(const std::string& type, const std::string& key);

  [[nodiscard]] const std::vector<LimitState>& limits() const { return limits_; }
  /// Limits whose bucket has been used.
  [[nodiscard]] std::vector<const LimitState*> Changed() const;

 private:
  struct Used {
    LimitScope scope;
    std::string name;
    auto operator<=>(const Used&) const = default;
  };
  void Use(LimitScope scope, const std::string& name);

  std::vector<LimitState> limits_;
  std::set<std::string> paused_;
  WallTime now_;
  std::map<Used, int> room_;
  std::set<const LimitState*> changed_;
};

}  // namespace seedcore::store
