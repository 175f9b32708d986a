#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/env.h"
#include "store/postgres/connection.h"
#include "store/postgres/wake_ups.h"
#include "store/signal.h"

namespace seedcore::store::postgres {

/// What a commit lets run.
struct MadeRunnable {
  std::int64_t tasks = 0;  ///< that can be claimed now
  /// A task can be claimed at a time that others may not know: a word about it has no mark.
  bool later = false;
  /// Tasks that run no longer, and have let others run: those that depended on them, and what limits held back. How
  /// many is found out before others are told.
  std::vector<std::string> ended{};
  bool due = false;  ///< tasks that had come due, and that a claim has left; how many is found out, too

  [[nodiscard]] bool any() const { return tasks > 0 || later || !ended.empty() || due; }
  void Add(MadeRunnable more);
};

/// Whom a transaction will wake.
struct Wakes {
  std::int64_t runnable = 0;  ///< tasks that it lets run at once
  bool announce = false;      ///< it takes the lock on the mark of an announcement
};

/// What goes out with a commit that lets tasks run, as a transaction of its own: the word behind it, or its
/// announcement ahead of it.
struct Word {
  Call call;
  std::uint32_t announced = 0;  ///< the mark of the announcement; 0: it is the word
  bool events = false;          ///< it tells of events, too
};

/// Tells other processes of commits, and this one of theirs, over a connection of its own (LISTEN and NOTIFY on the
/// channel "seedcore"). Many commits within a few milliseconds are one NOTIFY, sent outside their transactions: the
/// first after a pause goes right behind its commit, over the connection of that one, and what follows is gathered.
/// When the connection breaks it is made again, and the listeners are told that they may have missed something. What is
/// lost in between is found by the pollers.
///
/// A single task of a quiet moment is announced before its commit: the others begin their claim meanwhile, which finds
/// nothing yet, waits for a lock that the commit lets go, and looks again (seedcore_await_announced). So its way to the
/// server and its first look are over when the task is there. An announcement promises nothing: it may come
/// too early or for nothing, and the word follows a few milliseconds later, when nobody has to wait for it any more.
///
/// With many processes not every word reaches every listener at once: see WakeUps. Each process says in the name of
/// this connection what it waits for, and counts the others by it from time to time. Its last count goes with each
/// word, and the newest is believed. Whoever begins to claim, or ends it in order, tells what it then counts.
///
/// Of events that nobody reads nobody is told. Whoever begins to read says hello, and those who have appended some a
/// moment before tell of them: the reader may have read before their commit, and they may have heard it after.
class Notifier {
 public:
  /// `runnable` and `events` outlive it; they are emitted on its thread.
  Notifier(ConnectSettings settings, Env& env, Signal& runnable, Signal& events);
  /// Sends what is still to be told, if the connection is there.
  ~Notifier();

  /// Before a commit of this process that will wake others: what to send with it, unless a word was sent a
  /// moment ago or is about to be. Then, behind an announcement, and when the commit fails, Tell is called as ever, or
  /// not at all. Any thread; does not block.
  [[nodiscard]] std::optional<Word> TakeWord(const Wakes& wakes, bool events);
  /// After a commit of this process, which `announced` has announced (0: nothing has). Any thread; does not block.
  void Tell(MadeRunnable made, bool events, std::uint32_t announced = 0);
  /// After a claim that left nothing. Any thread; does not block.
  void Tell(const Drained& drained);
  /// A listener has been connected to one of the signals. Returns when it will hear of every commit from now on, or
  /// else will be told later that it may have missed some. Any thread but this one's.
  void ListenersChanged();
  [[nodiscard]] WakeUps& wake_ups() { return wake_ups_; }

 private:
  void Loop();
  /// Over one connection, as long as it lasts.
  void Listen(bool first);
  /// Until the connection breaks or the notifier stops.
  void Serve(Connection& connection);
  /// LISTEN, and whatever a process does first.
  [[nodiscard]] bool Begin(Connection& connection);
  /// Names the connection when what this process waits for has changed, and counts and tells anew unless all that
  /// changed is that it reads no more.
  [[nodiscard]] bool Introduce(Connection& connection, bool claims, bool reads);
  [[nodiscard]] bool Introduce(Connection& connection);
  /// What a process does last, if it can.
  void Leave(Connection& connection);
  /// Names the connection and counts, if it is time to.
  [[nodiscard]] bool CountInTime(Connection& connection);
  [[nodiscard]] bool Count(Connection& connection);
  /// Sends what is to be told, if anything, and if the pause is over.
  [[nodiscard]] bool Send(Connection& connection);
  void Hear(Connection& connection);
  void Emit(bool runnable, bool events);
  void Wake();
  struct News {
    MadeRunnable made;
    std::uint32_t mark = 0;
    bool events = false;
    std::optional<Drained> drained;
  };
  [[nodiscard]] std::optional<News> TakeNews();
  /// Finds out how many tasks `made` let run. False: the connection is gone.
  [[nodiscard]] bool CountTasks(Connection& connection, MadeRunnable& made) const;
  /// Into `notice`, nothing before the first count.
  void AddKnown(Notice& notice) const;
  [[nodiscard]] std::uint32_t NewMark();
  /// Whether a word with this mark went out with a commit of this process.
  [[nodiscard]] bool HasTaken(std::uint32_t mark);
  [[nodiscard]] timespec LongestWait();

  const ConnectSettings settings_;
  Env& env_;
  Signal& runnable_;
  Signal& events_;
  WakeUps wake_ups_;
  int wake_ = -1;  ///< an eventfd
  std::atomic<bool> tell_events_{false};
  std::atomic<bool> listeners_changed_{false};
  std::atomic<bool> somebody_reads_{true};  ///< some process may wait for events
  std::atomic<bool> counted_{false};
  std::atomic<Instant> appended_at_{Instant::min()};  ///< the last events of this process, told or not; real time
  std::latch tried_{1};                               ///< for the first time to connect and listen
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;  // guards what follows, up to marks_
  MadeRunnable tell_;
  std::uint32_t tell_mark_ = 0;  ///< announced; 0: the word gets a mark of its own
  std::optional<Drained> drained_;
  std::pair<Listeners, std::int64_t> own_count_{};  ///< and its time, see Notice
  std::array<std::uint32_t, 16> marks_taken_{};     ///< of the last TakeWords: a commit may take longer than a pause
  std::size_t next_taken_ = 0;
  Instant notify_at_{};    ///< no NOTIFY before; real time, since it is the server that is spared
  std::mt19937_64 marks_;  ///< of its own, as random_

  // Its thread alone:
  std::mt19937_64 random_;   ///< of its own: what it draws, and when, changes nothing for those who draw from the Env
  std::string name_;         ///< of the connection
  bool is_cut_off_ = false;  ///< there is no connection, which has been logged
  Instant count_at_{};       ///< the next count
  Instant old_until_{};      ///< processes that know nothing of listeners may be about
  std::jthread thread_;      // last: it uses all of the above
};

}  // namespace seedcore::store::postgres
