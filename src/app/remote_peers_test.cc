#include "app/remote_peers.h"

#include <atomic>
#include <functional>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/section_settings.h"
#include "net/server.h"

namespace seedcore::app {
namespace {

using testing::HasSubstr;

/// A gateway that answers what a test tells it to.
class RemotePeersTest : public testing::Test {
 protected:
  void Serve(net::Method method, const std::string& path, std::function<net::Response(const net::Request&)> handler) {
    ASSERT_TRUE(server_.AddRoutes(0, {{.method = method, .pattern = path, .handler = std::move(handler)}}));
    ASSERT_TRUE(server_.Start());
    const std::string url = "http://127.0.0.1:" + std::to_string(server_.endpoints().front().port);
    ASSERT_TRUE(BindRemotePeers(peers_, url, settings::ClientSettings{}, RealEnv()));
  }

  CallContext Call() const { return CallContext{}.Within(std::chrono::seconds(20), RealEnv()); }

  Metrics metrics_;
  net::Server server_{net::ServerOptions{}, RealEnv(), metrics_};
  Peers peers_{service::CallRecorder{}};
};

net::Response OfTheProxy(int status) { return {.status = status, .content_type = "text/plain", .body = "Internal"}; }

TEST_F(RemotePeersTest, ACallWhoseReplicaDiesIsRepeatedUnderTheSameKey) {
  std::atomic<int> calls = 0;
  std::set<std::string> keys;
  Serve(net::Method::kPost, "/ml/drift/score", [&](const net::Request& request) {
    keys.insert(request.call.idempotency_key);
    if (++calls < 3) return OfTheProxy(500);
    service::DriftResponse reply;
    reply.drift_score = 0.25;
    return net::JsonResponse(ToJsonText(reply));
  });
  service::DriftRequest request;
  request.task = {{"id", "t"}};
  const auto reply = peers_.ml.Call<&service::MlService::DriftScore>(request, Call());
  ASSERT_TRUE(reply) << ToString(reply.error());
  EXPECT_EQ(reply->drift_score, 0.25);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(keys.size(), 1U);
  EXPECT_NE(*keys.begin(), "");
}

TEST_F(RemotePeersTest, AServiceThatIsNotDeployedIsUnavailableAndNotMissing) {
  Serve(net::Method::kGet, "/organism/agents", [](const net::Request&) { return OfTheProxy(404); });
  const auto reply = peers_.organism.Call<&service::OrganismService::Agents>(service::Empty{}, Call());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(reply.error().message, HasSubstr("is the service deployed?"));
}

TEST_F(RemotePeersTest, AReportThatComesWithAnErrorStatusIsAReport) {
  Serve(net::Method::kGet, "/state/health", [](const net::Request&) {
    service::StateHealth health;
    health.status = "unhealthy";
    return net::JsonResponse(ToJsonText(health), 503);
  });
  const auto health = peers_.state.Call<&service::StateService::Health>(service::Empty{}, Call());
  ASSERT_TRUE(health) << ToString(health.error());
  EXPECT_EQ(health->status, "unhealthy");
}

TEST_F(RemotePeersTest, AnErrorOfTheServiceArrivesAsItIs) {
  Serve(net::Method::kGet, "/organism/agents",
        [](const net::Request&) { return net::ErrorResponse({ErrorCode::kConflict, "not now", "agents"}); });
  const auto reply = peers_.organism.Call<&service::OrganismService::Agents>(service::Empty{}, Call());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), (Error{ErrorCode::kConflict, "not now", "agents"}));
}

TEST_F(RemotePeersTest, WhatIsNoUrlIsRefusedAtOnce) {
  EXPECT_EQ(BindRemotePeers(peers_, "ftp://x", settings::ClientSettings{}, RealEnv()).error().path, "gateway_url");
}

TEST(BreakerFrom, AServiceThatWasDownIsTriedAfterASecondAndNeverLeftAloneForLongerThanItsSetting) {
  settings::ClientSettings settings;
  const net::BreakerSettings usual = BreakerFrom(settings);
  EXPECT_EQ(usual.open_for, std::chrono::seconds(1));
  EXPECT_EQ(usual.longest_open, settings.breaker_reset);
  EXPECT_GT(usual.jitter, 0.0);
  settings.breaker_reset = std::chrono::milliseconds(50);
  EXPECT_EQ(BreakerFrom(settings).open_for, std::chrono::milliseconds(50));
}

}  // namespace
}  // namespace seedcore::app
