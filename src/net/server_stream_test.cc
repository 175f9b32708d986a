#include <chrono>
#include <future>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "net/server.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(EventStreams, TurnAnyExceptionOfTheirHandlerInto500) {
  TestServer server(
      {}, {{.method = Method::kGet, .pattern = "/events", .stream = [](const Request&, const auto&) -> Result<void> {
              throw 7;
            }}});
  EXPECT_EQ(server.Ask(Get("/events")).status, 500);
  EXPECT_EQ(server.Ask(Get("/inline")).status, 200);
}

TEST(EventStreams, DeliverEventsAsTheyAreSentAndEndInOrder) {
  StreamRoute events;
  TestServer server({}, {events.route()});
  RawClient client(server.port());
  client.Write(Get("/events"));
  const auto stream = events.opened.get_future().get();
  const std::string head = client.ReadThrough("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream"));
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(stream->Send("n", std::to_string(i), ""));
    EXPECT_THAT(client.ReadThrough("\n\n"), HasSubstr("data: " + std::to_string(i)));
  }
  std::promise<void> closed;
  stream->OnClosed([&] { closed.set_value(); });
  stream->Close();
  EXPECT_THAT(client.ReadToEnd(), ::testing::EndsWith("0\r\n\r\n"));
  closed.get_future().wait();
  EXPECT_FALSE(stream->Send("n", "x", ""));
}

TEST(EventStreams, TellWhenTheClientHasGone) {
  StreamRoute events;
  TestServer server({}, {events.route()});
  std::promise<void> closed;
  {
    RawClient client(server.port());
    client.Write(Get("/events"));
    events.opened.get_future().get()->OnClosed([&] { closed.set_value(); });
  }
  closed.get_future().wait();
}

TEST(EventStreams, DisconnectAClientThatDoesNotRead) {
  StreamRoute events;
  TestServer server({}, {events.route()});
  RawClient client(server.port());
  client.Write(Get("/events"));
  const auto stream = events.opened.get_future().get();
  std::promise<void> closed;
  stream->OnClosed([&] { closed.set_value(); });
  const std::string text(100'000, 'x');
  while (stream->Send("n", text, "")) {
  }
  closed.get_future().wait();
  EXPECT_THAT(client.ReadToEnd(), Not(::testing::EndsWith("0\r\n\r\n")));
}

TEST(EventStreams, SendHeartbeatsWhenNothingHappens) {
  SimEnv env;
  StreamRoute events;
  TestServer server({}, {events.route()}, env);
  RawClient client(server.port());
  client.Write(Get("/events"));
  const auto stream = events.opened.get_future().get();
  EXPECT_TRUE(stream->Send("n", "1", ""));
  client.ReadThrough("data: 1\n\n");
  env.Advance(std::chrono::seconds(16));
  EXPECT_THAT(client.ReadThrough("\n\n"), HasSubstr(": alive"));
}

TEST(EventStreams, AreBoundedInNumber) {
  ServerOptions options;
  options.limits.streams = 1;
  StreamRoute events;
  TestServer server(options, {events.route()});
  RawClient first(server.port());
  first.Write(Get("/events"));
  const auto stream = events.opened.get_future().get();
  first.ReadThrough("\r\n\r\n");
  EXPECT_EQ(server.Ask(Get("/events")).status, 503);
  EXPECT_EQ(server.Rejected("streams"), 1);
}

TEST(EventStreams, MayBeHeldLongerThanTheServerLives) {
  std::shared_ptr<EventStream> stream;
  {
    StreamRoute events;
    TestServer server({}, {events.route()});
    RawClient client(server.port());
    client.Write(Get("/events"));
    stream = events.opened.get_future().get();
  }
  EXPECT_FALSE(stream->Send("n", "x", ""));
  stream->Close();
}

}  // namespace
}  // namespace seedcore::net
