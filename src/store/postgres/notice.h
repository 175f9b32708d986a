#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace seedcore::store::postgres {

/// Processes that listen on one database.
struct Listeners {
  int claimers = 0;  ///< those that wait for tasks to claim
  int readers = 0;   ///< those that wait for events
};

/// Tasks that can be claimed, as a notice tells of them. The mark tells one such word from the next: every listener
/// hears them in the same order, so a mark names a moment that all agree on. 0: a word without a mark, after which
/// nobody is spared a look: it is about tasks that run later, too, and everybody has to learn when.
struct Runnable {
  std::int64_t tasks = 0;  ///< so many, at least one; 0: nothing was made runnable
  std::uint32_t mark = 0;
};

/// Some claim began after the word with `mark` was heard and left nothing that it was allowed to take.
struct Drained {
  std::uint32_t mark = 0;
  std::uint64_t types = 0;  ///< KeyOfTypes
};

/// What one NOTIFY says.
struct Notice {
  Runnable runnable;
  bool events = false;  ///< events were appended
  bool hello = false;   ///< a process has begun to wait for events
  /// A commit is about to let a task run; the word behind it will have this mark (see Notifier). 0: none is.
  std::uint32_t announced = 0;
  std::optional<Drained> drained;
  std::optional<Listeners> listeners;  ///< as the sender has counted; absent: it has not, or is older
  /// When it began to count, by the server's clock, in us since 1970. 0: it is of a version that does not say.
  std::int64_t counted_at = 0;
  bool older = false;  ///< of a process that knows nothing of listeners, or of SQL before schema 19. Is never written
};

/// Flags and numbers, at most some 100 bytes. Older processes look for an `r` (tasks can run) and an `e` (events) only,
/// so neither letter stands anywhere else.
[[nodiscard]] std::string ToPayload(const Notice& notice);
/// Never fails: what is not understood is left out.
[[nodiscard]] Notice ReadPayload(std::string_view payload);

/// The number of the advisory lock (24308, number) that stands for an announced commit, as statements take it; a mark
/// of 0 has none.
[[nodiscard]] std::optional<std::int32_t> LockOfAnnounced(std::uint32_t mark);

}  // namespace seedcore::store::postgres
