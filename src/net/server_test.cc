#include "net/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/gzip.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Server, AnswersManyRequestsOnOneConnection) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 5; ++i) {
    const auto response = client.Exchange(Get("/inline?n=" + std::to_string(i)));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "GET /inline n=" + std::to_string(i));
  }
}

TEST(Server, RunsHandlersOnTheWorkerPool) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.Exchange(Post("/pool", R"({"a":1})")).body, R"(POST /pool body={"a":1})");
  EXPECT_EQ(client.Exchange(Get("/items/7?b=2&a=%20x")).body, "GET /items/7 a= x b=2 {id}=7");
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(server.port());
  std::string burst;
  for (int i = 0; i < 200; ++i) burst += Get((i % 3 == 0 ? "/pool?i=" : "/inline?i=") + std::to_string(i));
  client.Write(burst);
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(client.ReadResponse().body, HasSubstr(" i=" + std::to_string(i)));
  }
}

TEST(Server, ReadsAChunkedBodySentByteByByte) {
  TestServer server;
  RawClient client(server.port());
  const std::string request =
      "POST /pool HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";
  for (const char c : request) client.Write({&c, 1});
  EXPECT_EQ(client.ReadResponse().body, "POST /pool body=abcde");
  EXPECT_EQ(client.Exchange(Get("/inline")).status, 200);
}

TEST(Server, StopsWhileClientsAreConnected) {
  TestServer server;
  RawClient idle(server.port());
  RawClient used(server.port());
  EXPECT_EQ(used.Exchange(Get("/inline")).status, 200);
  server.server().Stop(std::chrono::seconds(5));
  EXPECT_TRUE(used.EndsHere());
  EXPECT_FALSE(RawClient(server.port()).connected());
}

}  // namespace
}  // namespace seedcore::net
