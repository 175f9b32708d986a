#include "ray/listener_wait.h"

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "net/server.h"

// A port that begins to listen while it is waited for is in tests/cli.
namespace seedcore::ray {
namespace {

using std::chrono::milliseconds;

TEST(ConnectPatience, IsSecondsAndHalfAMinuteWhenBlank) {
  EXPECT_EQ(ConnectPatience(""), milliseconds(30'000));
  EXPECT_EQ(ConnectPatience("  "), milliseconds(30'000));
  EXPECT_EQ(ConnectPatience("0"), milliseconds(0));
  EXPECT_EQ(ConnectPatience(" 1.5 "), milliseconds(1'500));
  EXPECT_EQ(ConnectPatience("3600"), milliseconds(3'600'000));
}

TEST(ConnectPatience, RefusesWhatIsNoTime) {
  for (const char* text : {"soon", "-1", "3601", "nan", "inf", "5s"}) {
    const auto patience = ConnectPatience(text);
    ASSERT_FALSE(patience) << text;
    EXPECT_EQ(patience.error().message,
              std::string("SEEDCORE_RAY_CONNECT_TIMEOUT_S=") + text + ": expected seconds, 0 to 3600");
  }
}

TEST(AwaitListener, SeesOneThatListensWithoutWaiting) {
  Metrics metrics;
  net::Server server(net::ServerOptions{}, RealEnv(), metrics);
  ASSERT_TRUE(server.Start());
  const net::HostPort where{"127.0.0.1", server.endpoints().front().port};
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(AwaitListener(where, {.stop = stop.get_token()}, RealEnv()));
  server.Stop(milliseconds(0));
  EXPECT_FALSE(AwaitListener(where, {.stop = stop.get_token()}, RealEnv()));
  EXPECT_FALSE(AwaitListener(where, CallContext{}.Within(milliseconds(1), RealEnv()), RealEnv()));
}

}  // namespace
}  // namespace seedcore::ray
