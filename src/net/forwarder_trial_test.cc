// How servers that were ejected come back: by what they are asked beside the requests.
#include <atomic>

#include <gtest/gtest.h>

#include "base/testing.h"
#include "net/forwarder_fixture.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using namespace std::chrono_literals;

const ForwarderOptions kTrying{.trial_target = "/working", .probe_timeout = 5s};

Route Counting(Method method, const char* pattern, std::atomic<int>& times) {
  return {.method = method, .pattern = pattern, .handler = [&times](const Request&) {
            ++times;
            return JsonResponse("{}");
          }};
}

/// Answers a trial only when nobody waits for it any more, and counts what it is asked.
struct SickServer {
  Route Silent(const char* pattern) {
    return {.method = Method::kGet, .pattern = pattern, .handler = [this](const Request& request) {
              ++tried;
              RealEnv().SleepFor(60s, request.call.stop);
              return JsonResponse("{}");
            }};
  }

  std::atomic<int> tried = 0;
  std::atomic<int> asked = 0;
  TestServer server{{}, {Silent("/working"), Counting(Method::kPost, "/x", asked)}};
};

class ForwarderTrialTest : WithSimEnv, public ForwarderTest {
 protected:
  ForwarderTrialTest() : ForwarderTest(sim_) {}

  void ForwardToEjected(std::uint16_t ejected, const std::vector<std::uint16_t>& others = {}) {
    std::vector<std::uint16_t> ports{ejected};
    ports.insert(ports.end(), others.begin(), others.end());
    Forward(ports, kTrying);
    First().Eject();
  }
  Upstream& First() { return *upstreams_->List().front(); }
  bool FirstBecomes(CircuitBreaker::State state) {
    return test::Eventually([&] { return First().breaker().state() == state; });
  }
  void Advance(std::chrono::seconds by) { sim_.Advance(by); }
};

TEST_F(ForwarderTrialTest, OneThatAnswersIsBackThoughNobodyHasSentARequest) {
  TestServer there;  // which answers a trial with 404
  ForwardToEjected(there.port());
  EXPECT_EQ(Ask(Post("/x", "{}")).status, 503);
  Advance(60s);
  EXPECT_TRUE(FirstBecomes(CircuitBreaker::State::kClosed));
  EXPECT_EQ(First().requests(), 0U);
}

TEST_F(ForwarderTrialTest, NoRequestGoesToOneThatDoesNotAnswerItsTrialAndItIsTriedAgainLater) {
  SickServer sick;
  TestServer well({}, {Answering([](const Request&) { return JsonResponse("{}"); })});
  ForwardToEjected(sick.server.port(), {well.port()});
  for (int trial = 1; trial <= 2; ++trial) {
    Advance(60s);
    ASSERT_TRUE(test::Eventually([&] { return sick.tried == trial; }));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(Ask(Post("/x", "{}")).status, 200);
    Advance(5s);
    ASSERT_TRUE(FirstBecomes(CircuitBreaker::State::kOpen));
  }
  EXPECT_EQ(sick.asked, 0);
}

TEST_F(ForwarderTrialTest, WhenAllAreEjectedARequestIsRefusedRatherThanUsedToTryOne) {
  SickServer sick;
  ForwardToEjected(sick.server.port());
  Advance(60s);
  EXPECT_EQ(Ask(Post("/x", "{}")).status, 503);
  ASSERT_TRUE(test::Eventually([&] { return sick.tried == 1; }));
  EXPECT_EQ(Ask(Post("/x", "{}")).status, 503);
  EXPECT_EQ(sick.asked, 0);
}

TEST_F(ForwarderTrialTest, OneThatRefusesTheTokenOrIsNotThereStaysOut) {
  std::atomic<int> tried = 0;
  TestServer strict(WithToken("another"), {Counting(Method::kGet, "/working", tried)});
  for (const std::uint16_t port : {strict.port(), DeadPort()}) {
    ForwardToEjected(port);
    Advance(60s);
    EXPECT_TRUE(test::Eventually([&] { return First().breaker().OpenFor() > 0s; }));
    EXPECT_EQ(First().breaker().state(), CircuitBreaker::State::kOpen);
  }
  EXPECT_EQ(tried, 0) << "it is not let in";
}

}  // namespace
}  // namespace seedcore::net
