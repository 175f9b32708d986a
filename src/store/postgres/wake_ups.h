#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "store/postgres/notice.h"
#include "store/store.h"

namespace seedcore::store::postgres {

/// One number for what a claim takes: for a set of types, whatever their order, and another for every type but these;
/// 0 for every type.
[[nodiscard]] std::uint64_t KeyOfTypes(const ClaimRequest& request);

/// Which of the processes that listen look for work after a NOTIFY, decided by each for itself. Up to kAtOnce look at
/// once: with `n` listeners each does with probability kAtOnce / n. More do if more tasks became runnable than those
/// would take: twice as many as the tasks are claims of the size that the process last made, since chance may send
/// too few. The others look after a jittered pause that grows with `n`, so that all of them together look no more often
/// than a few processes would; and not at all when somebody has meanwhile told that nothing is left. Nobody who is not
/// told so is spared, thus every word about tasks makes every process look within longest_pause(). After a word without
/// a mark nobody is spared, whatever is told later: it may be about a task that runs at some time, which whoever looks
/// first does not take.
///
/// Thread-safe.
class WakeUps {
 public:
  /// With so many listeners or fewer everybody looks at once.
  static constexpr int kAtOnce = 8;

  /// With up to 60 of them; a NOTIFY waits longer where more listen.
  static constexpr std::chrono::milliseconds kShortestNotifyPause{3};

  explicit WakeUps(Env& env) : env_(env) {}

  /// This process has counted, at `counted_at` (see Notice; 0: nobody knows).
  void Know(Listeners listeners, std::int64_t counted_at = 0);
  /// Another process has. The newest count is believed; one of an unknown time if this process has known none for a
  /// minute. Returns whether this one is.
  bool HearCounted(Listeners listeners, std::int64_t counted_at);
  /// A word about tasks from another process. Returns whether to look at once; if not, next_look() says when.
  [[nodiscard]] bool Hear(Runnable runnable);
  /// Another process announces a commit. Returns whether to look at once, with a claim that waits for it.
  [[nodiscard]] bool HearAnnounced(std::uint32_t mark);
  /// A word from this process, whose dispatchers have been told by other means.
  void HearOwn(Runnable runnable);
  /// Another process has found nothing left.
  void HearDrained(const Drained& drained);
  /// When to look without being told again.
  [[nodiscard]] std::optional<Instant> next_look() const;
  /// Whether the time of next_look() has come; it is used up.
  [[nodiscard]] bool TakeDue();

  /// What a claim knows when it begins. 0: nothing.
  struct Heard {
    std::uint32_t mark = 0;       ///< of the last word
    std::uint32_t announced = 0;  ///< the mark to wait for
  };
  /// What became of it.
  struct Found {
    std::size_t claimed = 0;
    std::size_t limit = 0;
    bool awaited = false;  ///< it has waited for the announced commit
  };
  /// Before a claim of this process.
  [[nodiscard]] Heard BeginClaim(std::uint64_t types);
  /// After that claim: what to tell the others, if anything.
  [[nodiscard]] std::optional<Drained> EndClaim(Heard heard, std::uint64_t types, Found found);
  /// Whether nobody has told it since.
  [[nodiscard]] bool IsNews(const Drained& drained) const;

  /// What to add to the moment at which a task becomes claimable by time: every process that waits knows that moment,
  /// or learns it within longest_pause().
  [[nodiscard]] std::chrono::microseconds PauseAtTime() const;

  [[nodiscard]] Listeners listeners() const;
  /// From one NOTIFY of this process to its next: each costs the server some work for each listener.
  [[nodiscard]] std::chrono::milliseconds notify_pause() const;
  [[nodiscard]] std::chrono::milliseconds longest_pause() const;

 private:
  static constexpr std::size_t kMostKeys = 16;

  /// Under mutex_, as the rest.
  [[nodiscard]] std::optional<std::chrono::microseconds> Pause(std::int64_t tasks) const;
  void Believe(Listeners listeners, std::int64_t counted_at);
  [[nodiscard]] std::int64_t LooksFor(std::int64_t tasks) const;
  /// Whether all that this process claims is in `keys`.
  [[nodiscard]] bool AllWantedIn(const std::vector<std::uint64_t>& keys) const;
  void Begin(std::uint32_t mark);

  Env& env_;
  mutable std::mutex mutex_;  // guards everything below
  Listeners listeners_;
  std::int64_t counted_at_ = 0;
  std::optional<Instant> known_since_;  // those listeners
  std::optional<Instant> look_at_;
  bool spared_by_nobody_ = false;       // the look at that time
  bool late_ = false;                   // the last look was one after a pause
  std::int64_t batch_ = 1;              // what the last claim asked for
  std::uint32_t mark_ = 0;              // of the last word heard
  std::vector<std::uint64_t> covered_;  // types of which nothing was left after it
  std::vector<std::uint64_t> wanted_;   // types that this process claims; at kMostKeys it is never spared
  std::uint32_t announced_ = 0;         // the last one heard
  Instant announced_until_{};           // when it is no use to wait for it any more
  std::vector<std::uint64_t> seen_;     // types of which nothing was left after its commit
};

}  // namespace seedcore::store::postgres
