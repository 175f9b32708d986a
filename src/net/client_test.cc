#include "net/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "net/scripted_server.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

ClientOptions OptionsFor(std::uint16_t port) {
  ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(port);
  options.retry.base = 1ms;
  options.retry.longest = 2ms;
  return options;
}

const std::string kBusy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

TEST(Client, GetsAndPosts) {
  TestServer server;
  Client client(OptionsFor(server.port()), RealEnv());
  const auto got = client.Send({.target = "/items/a%20b?x=1"}, {});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->body, "GET /items/a b x=1 {id}=a b");
  const auto posted = client.Send({.method = Method::kPost, .target = "/pool", .body = "{}"}, {});
  ASSERT_TRUE(posted) << posted.error().message;
  EXPECT_EQ(posted->body, "POST /pool body={}");
}

TEST(Client, KeepsItsConnection) {
  TestServer server;
  Client client(OptionsFor(server.port()), RealEnv());
  std::set<std::string> peers;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.Send({.target = "/inline"}, {}));
  EXPECT_EQ(server.metrics().GetGauge("seedcore_http_connections", "Open HTTP connections").Value(), 1);
}

TEST(Client, DecodesErrorBodies) {
  TestServer server;
  Client client(OptionsFor(server.port()), RealEnv());
  const auto missing = client.Send({.target = "/nowhere"}, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("/nowhere"));
  const auto any = client.SendForAnyStatus({.target = "/nowhere"}, {});
  ASSERT_TRUE(any);
  EXPECT_EQ(any->status, 404);
}

TEST(Client, TellsTheServerWhoAsksAndForHowLong) {
  CallContext seen;
  TestServer server({}, {{.method = Method::kPost, .pattern = "/seen", .handler = [&](const Request& request) {
                            seen = request.call;
                            return JsonResponse("{}");
                          }}});
  Client client(OptionsFor(server.port()), RealEnv());
  CallContext call;
  call.request_id = "request-1";
  call.idempotency_key = "key-1";
  call.trace = NewTrace(RealEnv());
  call.deadline = RealEnv().Now() + 5s;
  ASSERT_TRUE(client.Send({.method = Method::kPost, .target = "/seen", .body = "{}"}, call));
  EXPECT_EQ(seen.request_id, "request-1");
  EXPECT_EQ(seen.idempotency_key, "key-1");
  EXPECT_EQ(seen.trace.trace_id, call.trace.trace_id);
  EXPECT_LE(seen.deadline, call.deadline + 100ms);
}

TEST(Client, RepeatsOnAFreshConnectionWhatAStaleOneLost) {
  ScriptedServer server({{.reply = kOk, .close_after = false},
                         {.reply = "", .close_after = true},  // reads the second request and closes without a word
                         {.reply = kOk, .close_after = true}});
  ClientOptions options = OptionsFor(server.port());
  options.retry.max_retries = 0;
  Client client(options, RealEnv());
  EXPECT_TRUE(client.Send({}, {}));
  const auto second = client.Send({}, {});
  EXPECT_TRUE(second) << second.error().message;
}

TEST(Client, DoesNotRepeatAPostWithoutAKeyOnAStaleConnection) {
  ScriptedServer server({{.reply = kOk, .close_after = false}, {.reply = "", .close_after = true}, {.reply = kOk}});
  Client client(OptionsFor(server.port()), RealEnv());
  EXPECT_TRUE(client.Send({.method = Method::kPost}, {}));
  EXPECT_FALSE(client.Send({.method = Method::kPost}, {}));
  EXPECT_EQ(server.Requests().size(), 2U);
}

TEST(Client, RetriesABusyServerUpToTheLimit) {
  ScriptedServer server({{.reply = kBusy}, {.reply = kBusy}, {.reply = kOk}});
  Client client(OptionsFor(server.port()), RealEnv());
  const auto response = client.Send({}, {});
  EXPECT_TRUE(response) << response.error().message;
  EXPECT_EQ(server.Requests().size(), 3U);
}

TEST(Client, RetriesAPostOnlyWithAnIdempotencyKey) {
  ScriptedServer server({{.reply = kBusy}, {.reply = kBusy}, {.reply = kOk}});
  Client client(OptionsFor(server.port()), RealEnv());
  EXPECT_FALSE(client.Send({.method = Method::kPost}, {}));
  EXPECT_EQ(server.Requests().size(), 1U);
  CallContext keyed;
  keyed.idempotency_key = "k";
  EXPECT_TRUE(client.Send({.method = Method::kPost}, keyed));
}

TEST(Client, WaitsAsLongAsRetryAfterAsks) {
  SimEnv env;
  ScriptedServer server(
      {{.reply = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"}, {.reply = kOk}});
  Client client(OptionsFor(server.port()), env);
  auto sent = std::async(std::launch::async, [&] { return client.Send({}, {}); });
  env.AwaitWaiters(1);
  env.Advance(6s);
  EXPECT_EQ(server.Requests().size(), 1U);
  env.AwaitWaiters(1);
  env.Advance(2s);
  EXPECT_TRUE(sent.get());
}

TEST(Client, DoesNotWaitForARetryBeyondItsDeadline) {
  ScriptedServer server({{.reply = "HTTP/1.1 503 No\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"}});
  Client client(OptionsFor(server.port()), RealEnv());
  const auto response = client.Send({}, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
}

TEST(Client, GivesUpAtItsDeadline) {
  ScriptedServer server({{.reply = "HTTP/1.1 200 OK\r\n", .close_after = false}});
  Client client(OptionsFor(server.port()), RealEnv());
  CallContext call;
  call.deadline = RealEnv().Now() + 30ms;
  const auto response = client.Send({}, call);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(Client, EndsWhenTheCallIsCancelled) {
  Gateway gate;
  std::stop_source stop;
  TestServer server({}, {{.method = Method::kGet, .pattern = "/slow", .handler = [&](const Request&) {
                            gate.Arrived();
                            gate.Pass();
                            return JsonResponse("{}");
                          }}});
  Client client(OptionsFor(server.port()), RealEnv());
  CallContext call;
  call.stop = stop.get_token();
  auto sent = std::async(std::launch::async, [&] { return client.Send({.target = "/slow"}, call); });
  gate.AwaitArrival();
  stop.request_stop();
  const auto response = sent.get();
  gate.Open();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kCancelled);
}

TEST(Client, RefusesATruncatedResponse) {
  ScriptedServer server({{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}});
  ClientOptions options = OptionsFor(server.port());
  options.retry.max_retries = 0;
  Client client(options, RealEnv());
  const auto response = client.Send({}, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
}

TEST(Client, ReadsABodyThatEndsWithTheConnection) {
  ScriptedServer server({{.reply = "HTTP/1.0 200 OK\r\n\r\nall of it"}});
  Client client(OptionsFor(server.port()), RealEnv());
  const auto response = client.Send({}, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "all of it");
}

TEST(Client, SkipsInterimResponses) {
  ScriptedServer server({{.reply = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + kOk}});
  Client client(OptionsFor(server.port()), RealEnv());
  const auto response = client.Send({}, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "ok");
}

TEST(Client, RefusesAResponseOverItsLimit) {
  ScriptedServer server({{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x')}});
  ClientOptions options = OptionsFor(server.port());
  options.max_response_bytes = 100;
  Client client(options, RealEnv());
  const auto response = client.Send({}, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kPayloadTooLarge);
}

TEST(Client, RefusesAHeaderFieldWithALineBreak) {
  TestServer server;
  Client client(OptionsFor(server.port()), RealEnv());
  ClientRequest request{.target = "/inline"};
  request.headers.Add("X-Note", "a\r\nHost: evil");
  const auto response = client.Send(request, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
}

TEST(Client, OpensItsBreakerAfterRepeatedFailuresAndProbesOnce) {
  SimEnv env;
  const Error refused{ErrorCode::kUnavailable, "refused", {}};
  TestServer server;
  ClientOptions options = OptionsFor(server.port());
  options.retry.max_retries = 0;
  Client client(options, env);
  env.ArmFault("net.client.connect", refused, 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.Send({.target = "/inline"}, {}).error().message, "refused");
  EXPECT_EQ(client.Send({.target = "/inline"}, {}).error().message, "circuit breaker is open");
  env.Advance(30s);
  EXPECT_TRUE(client.Send({.target = "/inline"}, {}));
  EXPECT_EQ(client.breaker_state(), CircuitBreaker::State::kClosed);
}

TEST(Client, CountsRefusalsOfTheCallAsSuccessesOfThePeer) {
  TestServer server;
  Client client(OptionsFor(server.port()), RealEnv());
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(client.Send({.target = "/nowhere"}, {}));
  EXPECT_EQ(client.breaker_state(), CircuitBreaker::State::kClosed);
}

TEST(Client, WaitsForAFreeConnectionNoLongerThanItsDeadline) {
  Gateway gate;
  TestServer server({}, {{.method = Method::kGet, .pattern = "/slow", .handler = [&](const Request&) {
                            gate.Arrived();
                            gate.Pass();
                            return JsonResponse("{}");
                          }}});
  ClientOptions options = OptionsFor(server.port());
  options.max_connections = 1;
  Client client(options, RealEnv());
  auto first = std::async(std::launch::async, [&] { return client.Send({.target = "/slow"}, {}); });
  gate.AwaitArrival();
  CallContext call;
  call.deadline = RealEnv().Now() + 20ms;
  EXPECT_EQ(client.Send({.target = "/inline"}, call).error().code, ErrorCode::kDeadlineExceeded);
  gate.Open();
  EXPECT_TRUE(first.get());
}

TEST(Client, NamesThePeerItCanNotReach) {
  std::uint16_t port = 0;
  {
    const TestServer gone;
    port = gone.port();
  }
  Client client(OptionsFor(port), RealEnv());
  const auto response = client.Send({}, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr("127.0.0.1:" + std::to_string(port)));
}

TEST(Client, FollowsAnEventStreamUntilTheCallbackHasEnough) {
  std::shared_ptr<EventStream> stream;
  TestServer server({}, {{.method = Method::kGet,
                          .pattern = "/events",
                          .stream = [&](const Request&, std::shared_ptr<EventStream> s) -> Result<void> {
                            for (int i = 0; i < 10; ++i) s->Send("tick", "line one\nline " + std::to_string(i), "id7");
                            stream = std::move(s);
                            return {};
                          }}});
  Client client(OptionsFor(server.port()), RealEnv());
  std::vector<std::string> seen;
  const auto followed = client.Stream({.target = "/events"}, {}, [&](const ServerEvent& event) {
    seen.push_back(std::string(event.event) + "|" + std::string(event.data) + "|" + std::string(event.id));
    return seen.size() < 3;
  });
  ASSERT_TRUE(followed) << followed.error().message;
  EXPECT_EQ(seen.back(), "tick|line one\nline 2|id7");
}

TEST(Client, ReportsTheErrorAStreamWasRefusedWith) {
  TestServer server({}, {{.method = Method::kGet,
                          .pattern = "/events",
                          .stream = [](const Request&, const std::shared_ptr<EventStream>&) -> Result<void> {
                            return Fail(ErrorCode::kConflict, "not now");
                          }}});
  Client client(OptionsFor(server.port()), RealEnv());
  const auto followed = client.Stream({.target = "/events"}, {}, [](const ServerEvent&) { return true; });
  ASSERT_FALSE(followed);
  EXPECT_EQ(followed.error(), (Error{ErrorCode::kConflict, "not now", ""}));
}

}  // namespace
}  // namespace seedcore::net
