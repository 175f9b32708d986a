#include "store/postgres/notifier.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "store/conformance.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

ConnectSettings EmptyDatabase() {
  TestServer& server = TestServer::Shared();
  server.CreateDatabase("notifier");
  return {.dsn = server.Dsn("notifier"), .connect_timeout = std::chrono::minutes(2), .setup = {}};
}

// Ended while others keep waking it, so that the word to stop comes at every point of its loop. One that misses it
// would wait for ever.
TEST(PostgresNotifier, StopsAtWhateverMomentItIsTold) {
  const ConnectSettings settings = EmptyDatabase();
  constexpr int kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    Signal runnable, events;
    std::binary_semaphore heard{0};
    bool first = true;  // the notifier's thread alone
    const Subscription subscription = events.Connect([&] {
      if (std::exchange(first, false)) heard.release();
    });
    const std::jthread others([&](const std::stop_token& stop) {
      auto connection = Connection::Open(settings);
      ASSERT_TRUE(connection) << ToString(connection.error());
      while (!stop.stop_requested()) ASSERT_TRUE((*connection)->Script("NOTIFY seedcore, 'e'"));
    });
    const Notifier notifier(settings, RealEnv(), runnable, events);
    heard.acquire();
  }
}

/// A process that listens.
struct Listener {
  explicit Listener(const ConnectSettings& settings) : notifier(settings, RealEnv(), runnable, events) {}
  /// Sends events until one is heard: everything that was sent before has then been heard, too.
  void HearEvent(Connection& connection) {
    do {
      Must(connection.Script("NOTIFY seedcore, 'e'"));
    } while (!heard_event.try_acquire_for(std::chrono::milliseconds(20)));
  }

  Signal runnable, events;
  std::atomic<int> looks{0};
  std::counting_semaphore<> heard_event{0};
  Subscription on_runnable = runnable.Connect([this] { ++looks; });
  Subscription on_events = events.Connect([this] { heard_event.release(); });
  Notifier notifier;
};

TEST(PostgresNotifier, AWordBehindACommitReachesTheOthersAndNotItsSender) {
  const ConnectSettings settings = EmptyDatabase();
  const auto connection = Must(Connection::Open(settings));
  Listener sender(settings), other(settings);
  for (Listener* one : {&sender, &other}) one->HearEvent(*connection);
  const auto word = sender.notifier.TakeWord({.runnable = 1}, false);
  ASSERT_TRUE(word) << "nothing was told before";
  connection->SendBeside(word->call, Connection::Beside::kBehind);
  Must(connection->Query("SELECT 1"));
  for (Listener* one : {&sender, &other}) {
    while (one->heard_event.try_acquire()) continue;
    one->HearEvent(*connection);
  }
  // Heard before the last event, unless that was one of those sent at first.
  while (other.looks == 0) other.HearEvent(*connection);
  EXPECT_EQ(other.looks, 1);
  EXPECT_EQ(sender.looks, 0);
}

TEST(PostgresNotifier, ASingleTaskIsAnnouncedAndItsWordFollows) {
  const ConnectSettings settings = EmptyDatabase();
  const auto connection = Must(Connection::Open(settings));
  Listener other(settings);
  other.HearEvent(*connection);
  Listener sender(settings);  // counts the other
  sender.HearEvent(*connection);
  const auto word = sender.notifier.TakeWord({.runnable = 1, .announce = true}, false);
  ASSERT_TRUE(word);
  EXPECT_NE(word->announced, 0u) << "nothing was told before";
  connection->SendBeside(word->call, Connection::Beside::kAhead);
  Must(connection->Query("SELECT 1"));
  while (other.looks == 0) other.HearEvent(*connection);
  EXPECT_EQ(other.notifier.wake_ups().BeginClaim(0).announced, word->announced);

  sender.notifier.Tell({.tasks = 1}, false, word->announced);
  while (other.looks == 1) other.HearEvent(*connection);
  const WakeUps::Heard heard = other.notifier.wake_ups().BeginClaim(0);
  EXPECT_EQ(heard.mark, word->announced) << "whoever has awaited the commit knows that it is told nothing new";
  EXPECT_EQ(heard.announced, 0u);
  EXPECT_EQ(sender.looks, 0);
}

TEST(PostgresNotifier, WhoHasNotCountedTellsNobodyHowManyListen) {
  Signal runnable, events;
  Notifier notifier({.dsn = "host=/nonexistent"}, RealEnv(), runnable, events);
  const auto word = notifier.TakeWord({.runnable = 1, .announce = true}, false);
  ASSERT_TRUE(word);
  const Notice told = ReadPayload(*word->call.params.values()[0]);
  EXPECT_EQ(told.runnable.tasks, 1);
  EXPECT_FALSE(told.listeners) << "whoever hears it would take that for a count";
}

TEST(PostgresNotifier, WhoBeginsToClaimIsKnownToTheOthersAtOnce) {
  const ConnectSettings settings = EmptyDatabase();
  const auto connection = Must(Connection::Open(settings));
  Listener sender(settings);  // counts nobody else
  sender.HearEvent(*connection);
  Signal runnable, events;
  std::counting_semaphore<> looks{0};
  const Subscription on_runnable = runnable.Connect([&] { looks.release(); });
  const Notifier claimer(settings, RealEnv(), runnable, events);
  do {
    Must(connection->Script("NOTIFY seedcore, 'r'"));
  } while (!looks.try_acquire_for(std::chrono::milliseconds(20)));
  while (sender.heard_event.try_acquire()) continue;
  sender.HearEvent(*connection);
  EXPECT_EQ(sender.notifier.wake_ups().listeners().claimers, 2);
}

/// Claims from construction to Leave or its end.
struct Claimer {
  Claimer(const ConnectSettings& settings) : notifier(settings, RealEnv(), runnable, events) {}
  void Leave() { on_runnable = {}; }

  Signal runnable, events;
  Subscription on_runnable = runnable.Connect([] {});
  Notifier notifier;
};

void AwaitClaimers(Listener& listener, Connection& connection, int claimers) {
  const Instant patience = RealEnv().Now() + std::chrono::seconds(20);
  while (listener.notifier.wake_ups().listeners().claimers != claimers) {
    ASSERT_LT(RealEnv().Now(), patience) << listener.notifier.wake_ups().listeners().claimers << " are known";
    listener.HearEvent(connection);
  }
}

TEST(PostgresNotifier, WhoEndsToClaimIsKnownToTheOthersAtOnce) {
  const ConnectSettings settings = EmptyDatabase();
  const auto connection = Must(Connection::Open(settings));
  Listener listener(settings);
  std::optional<Claimer> one(std::in_place, settings), other(std::in_place, settings);
  ASSERT_NO_FATAL_FAILURE(AwaitClaimers(listener, *connection, 3));
  one->Leave();
  ASSERT_NO_FATAL_FAILURE(AwaitClaimers(listener, *connection, 2));
  other.reset();
  ASSERT_NO_FATAL_FAILURE(AwaitClaimers(listener, *connection, 1));
  one.reset();
}

TEST(PostgresNotifier, AnOldCountIsNotBelieved) {
  const ConnectSettings settings = EmptyDatabase();
  const auto connection = Must(Connection::Open(settings));
  Listener listener(settings);
  listener.HearEvent(*connection);
  const auto before = std::chrono::floor<std::chrono::microseconds>(RealEnv().WallNow() - std::chrono::minutes(1));
  std::string payload = ToPayload({.listeners = Listeners{1000, 0}, .counted_at = before.time_since_epoch().count()});
  for (const bool says_when : {true, false}) {
    if (!says_when) payload.resize(payload.rfind(' '));  // as an earlier version
    Must(connection->RunOnce(fmt::format("SELECT pg_notify('seedcore', '{}')", payload), {}));
    while (listener.heard_event.try_acquire()) continue;
    listener.HearEvent(*connection);
    EXPECT_EQ(listener.notifier.wake_ups().listeners().claimers, 1);
  }
}

TEST(PostgresNotifier, WhoSaysHelloIsToldOfTheEventsOfTheMomentBefore) {
  const ConnectSettings settings = EmptyDatabase();
  const auto reader = Must(Connection::Open(settings));
  Must(reader->Script("LISTEN seedcore"));
  Signal runnable, events;
  Notifier notifier(settings, RealEnv(), runnable, events);
  notifier.ListenersChanged();  // returns when it has counted nobody who reads
  notifier.Tell({}, true);
  Must(reader->Query("SELECT 1"));
  for (const auto& notification : reader->TakeNotifications()) {
    ASSERT_FALSE(ReadPayload(notification.payload).events) << "nobody reads";
  }
  const std::string hello = ToPayload({.hello = true, .listeners = Listeners{0, 1}});
  Must(reader->RunOnce(fmt::format("SELECT pg_notify('seedcore', '{}')", hello), {}));
  bool told = false;
  for (const Instant patience = RealEnv().Now() + std::chrono::seconds(20); !told;) {
    ASSERT_LT(RealEnv().Now(), patience);
    Must(reader->Query("SELECT 1"));
    for (const auto& notification : reader->TakeNotifications()) {
      told = told || ReadPayload(notification.payload).events;
    }
  }
}

TEST(PostgresNotifier, WhoListensLateIsToldToLook) {
  TestServer& server = TestServer::Shared();
  Signal runnable, events;
  std::binary_semaphore looks{0};
  const Subscription on_runnable = runnable.Connect([&] { looks.release(); });
  Notifier notifier({.dsn = server.Dsn("made_late")}, RealEnv(), runnable, events);
  notifier.ListenersChanged();  // returns: whoever looks now finds nothing, and what comes then is not told
  server.CreateDatabase("made_late");
  EXPECT_TRUE(looks.try_acquire_for(std::chrono::minutes(1)));
}

TEST(PostgresNotifier, WhoEndsRightAfterACommitTellsOfIt) {
  const ConnectSettings settings = EmptyDatabase();
  const auto listener = Must(Connection::Open(settings));
  Must(listener->Script("LISTEN seedcore"));
  {
    Listener sender(settings);
    sender.HearEvent(*Must(Connection::Open(settings)));
    sender.notifier.wake_ups().Know({.claimers = 1000, .readers = 0});  // 50 ms from one word to the next
    ASSERT_TRUE(sender.notifier.TakeWord({.runnable = 1}, false));
    sender.notifier.Tell({.tasks = 7}, false);
  }
  Must(listener->Query("SELECT 1"));
  std::int64_t told = 0;
  for (const auto& notification : listener->TakeNotifications())
    told += ReadPayload(notification.payload).runnable.tasks;
  EXPECT_EQ(told, 7);
}

}  // namespace
}  // namespace seedcore::store::postgres
