#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "net/local_server.h"
#include "net/server.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Route Slow(Gateway& gate, Execution execution) {
  return {.method = Method::kGet, .pattern = "/slow", .execution = execution, .handler = [&](const Request&) {
            gate.Arrived();
            gate.Pass();
            return Response{};
          }};
}

TEST(ServerAlive, IsSoUntilItIsStopped) {
  TestServer server;
  EXPECT_TRUE(server.server().CheckAlive(seconds(10)));
  server.server().Stop(seconds(10));
  EXPECT_THAT(ToString(server.server().CheckAlive(seconds(10)).error()), HasSubstr("stopped"));
}

TEST(ServerAlive, NamesAListenerThatDoesNotAcceptAnyMore) {
  TestServer server;
  ASSERT_TRUE(StopListening(server.port()));
  EXPECT_FALSE(RawClient(server.port()).connected());
  EXPECT_THAT(ToString(server.server().CheckAlive(seconds(10)).error()), HasSubstr("does not accept"));
}

TEST(ServerAlive, AListenerThatDoesNotAcceptAnyMoreIsSaidOnceAndCounted) {
  TestServer server;
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(StopListening(server.port()));
  EXPECT_TRUE(test::Eventually([&] { return server.Rejected("connections") >= 3; }));
  log::Flush();
  const std::string said = ::testing::internal::GetCapturedStderr();
  const std::size_t line = said.find("can't accept connections");
  EXPECT_NE(line, std::string::npos) << said;
  EXPECT_EQ(said.find("can't accept", line + 1), std::string::npos) << said;
}

TEST(ServerAlive, NamesAnEventLoopThatDoesNotRunAndForgivesItAfterwards) {
  Gateway gate;
  TestServer server({}, {Slow(gate, Execution::kInline)});
  RawClient client(server.port());
  client.Write(Get("/slow"));
  gate.AwaitArrival();
  EXPECT_THAT(ToString(server.server().CheckAlive(milliseconds(1)).error()), HasSubstr("event loop"));
  gate.Open();
  EXPECT_EQ(client.ReadResponse().status, 200);
  EXPECT_TRUE(server.server().CheckAlive(seconds(10)));
}

TEST(ServerAlive, WorkersMayBeBusyButNotLongerThanAnyRequestMayTake) {
  SimEnv env;
  Gateway gate;
  ServerOptions options;
  options.limits.worker_threads = 1;
  options.limits.worker_queue = 1;
  TestServer server(options, {Slow(gate, Execution::kPool)}, env);
  RawClient client(server.port());
  client.Write(Get("/slow"));
  gate.AwaitArrival();
  env.Advance(options.limits.request_max);
  EXPECT_TRUE(server.server().CheckAlive(seconds(10))) << "it has the longest deadline, perhaps, and is about to end";
  env.Advance(seconds(11));
  EXPECT_THAT(ToString(server.server().CheckAlive(seconds(10)).error()), HasSubstr("every worker"));
  gate.Open();
}

TEST(ServerAlive, ALocalServerIsWithoutListenersToo) {
  SimEnv env;
  Metrics metrics;
  Gateway gate;
  auto routes = std::make_shared<RouteTable>(metrics);
  ASSERT_TRUE(routes->Add({Slow(gate, Execution::kPool)}));
  ServerOptions options;
  options.limits.worker_threads = 1;
  LocalServer server(options, env, metrics);
  EXPECT_TRUE(server.CheckAlive());
  server.Handle(routes, {.method = "GET", .target = "/slow", .headers = {}, .body = {}, .peer = {}}, {}, [](Answer) {});
  gate.AwaitArrival();
  env.Advance(options.limits.request_max + seconds(11));
  EXPECT_FALSE(server.CheckAlive());
  gate.Open();
}

}  // namespace
}  // namespace seedcore::net
