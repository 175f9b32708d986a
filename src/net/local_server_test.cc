#include "net/local_server.h"

#include <future>
#include <latch>
#include <semaphore>

#include <gtest/gtest.h>

namespace seedcore::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A LocalServer with a few routes, asked one request at a time.
class LocalServerTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options = {}) {
    routes_ = std::make_shared<RouteTable>(metrics_);
    const auto echo = [](const Request& request) {
      return Response{.content_type = "text/plain", .body = request.path + "?" + request.body};
    };
    const auto wait_for_stop = [this](const Request& request) {
      entered_.release();
      RealEnv().SleepFor(seconds(20), request.call.stop);
      return Response{.body = request.call.stop.stop_requested() ? "stopped" : "slept"};
    };
    const auto stream = [this](const Request&, std::shared_ptr<EventStream> events) -> Result<void> {
      events_ = std::move(events);
      return {};
    };
    const auto added = routes_->Add({
        {.method = Method::kPost, .pattern = "/ml/echo", .handler = echo},
        {.pattern = "/ml/inline", .execution = Execution::kInline, .handler = echo},
        {.pattern = "/ml/wait", .handler = wait_for_stop},
        {.pattern = "/ml/events", .stream = stream},
    });
    ASSERT_TRUE(added);
    server_ = std::make_unique<LocalServer>(std::move(options), RealEnv(), metrics_);
  }

  LocalServer::Pending Send(ReceivedRequest request, std::promise<Answer>& answer) {
    return server_->Handle(
        routes_, std::move(request), [this] { woken_.release(); },
        [&answer](Answer given) { answer.set_value(std::move(given)); });
  }
  Answer Ask(ReceivedRequest request) {
    std::promise<Answer> answer;
    Send(std::move(request), answer);
    return answer.get_future().get();
  }

  Metrics metrics_;
  std::shared_ptr<RouteTable> routes_;
  std::shared_ptr<EventStream> events_;
  std::counting_semaphore<> entered_{0};
  std::counting_semaphore<> woken_{0};
  std::unique_ptr<LocalServer> server_;  // last: its handlers use the rest
};

TEST_F(LocalServerTest, RequestsGoThroughTheSameGateAsOnASocket) {
  Start();
  ReceivedRequest request{.method = "POST", .target = "/ml/ech%6f", .headers = {}, .body = "hello", .peer = {}};
  request.headers.Add("x-request-id", "r1");
  const Answer answer = Ask(request);
  EXPECT_EQ(answer.response.status, 200);
  EXPECT_EQ(answer.response.body, "/ml/echo?hello");
  EXPECT_EQ(answer.response.headers.Find("X-Request-ID"), "r1");

  EXPECT_EQ(Ask({.method = "GET", .target = "/ml/nowhere"}).response.status, 404);
  EXPECT_EQ(Ask({.method = "PUT", .target = "/ml/echo"}).response.status, 405);
  EXPECT_EQ(Ask({.method = "GET", .target = "/ml/../etc"}).response.status, 400);
  request.headers.Add("content-type", "text/plain");
  EXPECT_EQ(Ask(request).response.status, 415);
}

TEST_F(LocalServerTest, ABodyLargerThanTheLimitIsRefused) {
  ServerOptions options;
  options.limits.body_bytes = 10;
  Start(options);
  EXPECT_EQ(Ask({.method = "POST", .target = "/ml/echo", .headers = {}, .body = "12345678901"}).response.status, 413);
}

TEST_F(LocalServerTest, ATokenIsAskedForWhereTheRouteWantsOne) {
  ServerOptions options;
  options.auth.tokens = {"secret"};
  Start(options);
  EXPECT_EQ(Ask({.method = "GET", .target = "/ml/inline"}).response.status, 401);
}

TEST_F(LocalServerTest, ARequestPastItsDeadlineIsAnsweredAndItsHandlerTold) {
  Start();
  ReceivedRequest request{.method = "GET", .target = "/ml/wait"};
  request.headers.Add("X-Request-Timeout-Ms", "20");
  EXPECT_EQ(Ask(request).response.status, 504);
  EXPECT_TRUE(server_->Drain(seconds(10))) << "the handler was not told to stop";
}

TEST_F(LocalServerTest, ACancelledRequestStopsItsHandlerAndIsNotAnswered) {
  Start();
  std::promise<Answer> answer;
  auto pending = Send({.method = "GET", .target = "/ml/wait"}, answer);
  entered_.acquire();
  pending.Cancel();
  EXPECT_TRUE(server_->Drain(seconds(10)));
  EXPECT_EQ(answer.get_future().wait_for(seconds(0)), std::future_status::timeout);
}

TEST_F(LocalServerTest, BeyondWorkersAndQueueRequestsAreTurnedAway) {
  ServerOptions options;
  options.limits.worker_threads = 1;
  options.limits.worker_queue = 1;
  Start(options);
  std::promise<Answer> first;
  std::promise<Answer> second;
  auto running = Send({.method = "GET", .target = "/ml/wait"}, first);
  entered_.acquire();
  auto queued = Send({.method = "GET", .target = "/ml/wait"}, second);
  EXPECT_EQ(server_->InFlight(), 2U);
  const Answer refused = Ask({.method = "GET", .target = "/ml/wait"});
  EXPECT_EQ(refused.response.status, 503);
  EXPECT_EQ(refused.response.headers.Find("Retry-After"), "1");
  running.Cancel();
  queued.Cancel();
}

TEST_F(LocalServerTest, DrainingRefusesNewRequestsAndStopsWhatDoesNotFinish) {
  Start();
  std::promise<Answer> answer;
  Send({.method = "GET", .target = "/ml/wait"}, answer);
  entered_.acquire();
  EXPECT_FALSE(server_->Drain(milliseconds(1)));
  EXPECT_EQ(answer.get_future().get().response.body, "stopped");
  EXPECT_EQ(Ask({.method = "GET", .target = "/ml/inline"}).response.status, 503);
}

TEST_F(LocalServerTest, AStreamIsTakenPieceByPieceUntilItEnds) {
  Start();
  Answer answer = Ask({.method = "GET", .target = "/ml/events"});
  EXPECT_EQ(answer.response.content_type, "text/event-stream");
  ASSERT_TRUE(answer.stream);
  std::string text;
  EXPECT_TRUE(answer.stream->Take(text));
  EXPECT_EQ(text, "");
  events_->Send("task", "one");
  woken_.acquire();
  EXPECT_TRUE(answer.stream->Take(text));
  EXPECT_NE(text.find("data: one"), std::string::npos) << text;
  EXPECT_TRUE(server_->Drain(seconds(10)));  // ends the stream
  EXPECT_FALSE(answer.stream->Take(text));
}

TEST_F(LocalServerTest, AStreamEndsForItsSenderWhenTheClientHasGone) {
  Start();
  const Answer answer = Ask({.method = "GET", .target = "/ml/events"});
  answer.stream->Disconnected();
  EXPECT_FALSE(events_->Send("task", "one"));
}

}  // namespace
}  // namespace seedcore::net
