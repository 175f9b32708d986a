#include "net/same_host.h"

#include <chrono>
#include <unistd.h>

#include <gtest/gtest.h>

#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;

bool IsOpen(const HostPort& where) {
  const int fd = ConnectOnSameHost(where);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

TEST(SameHost, TheDoorIsOpenAsLongAsItsServerTakesConnections) {
  TestServer server;
  const HostPort where{"127.0.0.1", server.port()};
  EXPECT_FALSE(IsOpen(where));
  ASSERT_TRUE(server.server().ListenOnSameHost(where));
  EXPECT_TRUE(IsOpen(where));
  EXPECT_FALSE(IsOpen({"127.0.0.2", server.port()}));
  server.server().Stop(std::chrono::milliseconds(0));
  EXPECT_FALSE(IsOpen(where));
}

TEST(SameHost, ANameIsTakenOnce) {
  TestServer server;
  const HostPort where{"127.0.0.1", server.port()};
  ASSERT_TRUE(server.server().ListenOnSameHost(where));
  const auto again = ListenOnSameHost(where);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace seedcore::net
