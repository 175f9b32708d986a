#include "store/postgres/notifier.h"

#include <semaphore>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

// Ended while others keep waking it, so that the word to stop comes at every point of its loop. One that misses it
// would wait for ever.
TEST(PostgresNotifier, StopsAtWhateverMomentItIsTold) {
  TestServer& server = TestServer::Shared();
  server.CreateDatabase("notifier");
  const ConnectSettings settings{.dsn = server.Dsn("notifier"), .setup = {}};
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

}  // namespace
}  // namespace seedcore::store::postgres
