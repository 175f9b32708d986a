#include "net/server.h"

#include <gtest/gtest.h>

#include "net/testing.h"

namespace seedcore::net {
namespace {

TEST(Server, AnswersAGetAndKeepsTheConnection) {
  TestServer server;
  RawClient client(server.port());
  client.Write("GET /echo?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto first = client.ReadResponse();
  EXPECT_EQ(first.status, 200);
  client.Write("GET /echo?x=2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadResponse().status, 200);
}

}  // namespace
}  // namespace seedcore::net
