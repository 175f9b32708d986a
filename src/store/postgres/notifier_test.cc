#include "store/postgres/notifier.h"

#include <thread>

#include <gtest/gtest.h>

#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

// Ended at many moments of its life; one that misses the word to stop would wait for ever.
TEST(PostgresNotifier, StopsAtWhateverMomentItIsTold) {
  TestServer& server = TestServer::Shared();
  server.CreateDatabase("notifier");
  Signal runnable, events;
  constexpr int kRounds = 200;
  constexpr std::chrono::microseconds kStep{50};
  for (int i = 0; i < kRounds; ++i) {
    Notifier notifier({.dsn = server.Dsn("notifier"), .setup = {}}, runnable, events);
    notifier.Tell(true, true);
    std::this_thread::sleep_for(i * kStep);
  }
}

}  // namespace
}  // namespace seedcore::store::postgres
