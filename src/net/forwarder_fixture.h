#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "net/forwarder.h"
#include "net/testing.h"

namespace seedcore::net::testing {

/// A front server whose routes are forwarded to the servers that a test names.
/// Before ForwarderTest among the bases of a test whose time it moves itself.
struct WithSimEnv {
  SimEnv sim_;
};

class ForwarderTest : public ::testing::Test {
 protected:
  explicit ForwarderTest(Env& env = RealEnv()) : env_(env) {}

  void Forward(const std::vector<std::uint16_t>& ports, ForwarderOptions options = {}, ServerOptions server = {}) {
    options.name = "svc";
    UpstreamsAre(ports);
    forwarder_ = std::make_shared<Forwarder>(options, upstreams_, [this] { ++trouble_; }, env_, forwarder_metrics_);
    std::vector<Route> routes;
    for (const Method method : {Method::kGet, Method::kPost, Method::kPut, Method::kPatch}) {
      for (const char* pattern : {"/x/{id}", "/x"}) {
        Route route;
        route.method = method;
        route.pattern = pattern;
        // As operations may be marked that are answered at once.
        if (method == Method::kPut || method == Method::kPatch) route.execution = Execution::kInline;
        route.forwarder = forwarder_;
        routes.push_back(std::move(route));
      }
    }
    front_ = std::make_unique<TestServer>(std::move(server), std::move(routes), env_);
  }
  void UpstreamsAre(const std::vector<std::uint16_t>& ports) {
    std::vector<UpstreamAddress> addresses;
    for (const std::uint16_t port : ports) addresses.push_back({std::to_string(port), {"127.0.0.1", port}, "here"});
    upstreams_->Replace(std::move(addresses));
  }
  [[nodiscard]] std::uint16_t port() const { return front_->port(); }
  RawResponse Ask(std::string_view bytes) { return RawClient(port()).Exchange(bytes); }

  static Route Answering(Handler handler, Method method = Method::kPost) {
    return {.method = method, .pattern = "/x", .handler = std::move(handler)};
  }
  /// A port that nobody listens on.
  static std::uint16_t DeadPort() { return TestServer().port(); }
  static ServerOptions WithToken(const std::string& token) {
    ServerOptions options;
    options.auth.tokens = {token};
    return options;
  }

  Env& env_;  // of the front server; those behind it have the real one
  Metrics forwarder_metrics_;
  std::atomic<int> trouble_ = 0;
  std::shared_ptr<Upstreams> upstreams_ =
      std::make_shared<Upstreams>(BreakerSettings{.failures_to_open = 3, .open_for = std::chrono::seconds(60)}, env_);
  std::shared_ptr<Forwarder> forwarder_;
  std::unique_ptr<TestServer> front_;
};

}  // namespace seedcore::net::testing
