// Streams of events through a forwarder.
#include <future>
#include <memory>
#include <utility>

#include <gmock/gmock.h>

#include "net/forwarder_fixture.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

using ForwarderStreamTest = ForwarderTest;

/// What a stream route has opened.
struct OpenedStream {
  std::promise<std::shared_ptr<EventStream>> opened;
  Route route() {
    return {
        .method = Method::kGet, .pattern = "/x", .stream = [this](const Request&, std::shared_ptr<EventStream> stream) {
          opened.set_value(std::move(stream));
          return Result<void>{};
        }};
  }
};

TEST_F(ForwarderStreamTest, EventsPassAsTheyComeAndEndWithTheServersStream) {
  OpenedStream events;
  TestServer back({}, {events.route()});
  Forward({back.port()});
  RawClient client(port());
  client.Write(Get("/x"));
  const auto stream = events.opened.get_future().get();
  EXPECT_THAT(client.ReadThrough("\r\n\r\n"), HasSubstr("text/event-stream"));
  ASSERT_TRUE(stream->Send("tick", "1", "7"));
  EXPECT_THAT(client.ReadThrough("\n\n"), HasSubstr("id: 7\nevent: tick\ndata: 1\n\n"));
  ASSERT_TRUE(stream->Send("tick", "2", "8"));
  EXPECT_THAT(client.ReadThrough("\n\n"), HasSubstr("data: 2"));
  stream->Close();
  EXPECT_THAT(client.ReadToEnd(), ::testing::EndsWith("0\r\n\r\n"));
}

TEST_F(ForwarderStreamTest, AClientThatLeavesItsStreamEndsThatOfTheServer) {
  OpenedStream events;
  TestServer back({}, {events.route()});
  Forward({back.port()});
  std::promise<void> closed;
  {
    RawClient client(port());
    client.Write(Get("/x"));
    const auto stream = events.opened.get_future().get();
    stream->OnClosed([&] { closed.set_value(); });
    client.ReadThrough("\r\n\r\n");
  }
  EXPECT_EQ(closed.get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(ForwarderStreamTest, StreamsAreBoundedInNumber) {
  OpenedStream events;
  TestServer back({}, {events.route()});
  ServerOptions options;
  options.limits.streams = 0;
  Forward({back.port()}, {}, options);
  EXPECT_EQ(Ask(Get("/x")).status, 503);
}

}  // namespace
}  // namespace seedcore::net
