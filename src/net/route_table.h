#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "net/http.h"
#include "net/router.h"

namespace seedcore::net {

/// Counter per status and duration histogram of one route, without a look-up per request. Thread-safe.
class RouteMetrics {
 public:
  RouteMetrics(Metrics& metrics, std::string pattern, std::string_view method);
  void Observe(int status, double seconds);

 private:
  static constexpr std::size_t kStatuses = 600;

  Metrics& metrics_;
  const std::string pattern_;
  const std::string method_;
  Histogram& seconds_;
  std::array<std::atomic<Counter*>, kStatuses> by_status_{};  // filled as statuses occur
};

struct RouteState {
  RouteState(Route r, Metrics& m) : route(std::move(r)), metrics(m, route.pattern, ToString(route.method)) {}

  const Route route;
  RouteMetrics metrics;
};

/// The routes of one listener. Built before the server starts, read by all its threads.
class RouteTable {
 public:
  explicit RouteTable(Metrics& metrics);

  [[nodiscard]] Result<void> Add(std::vector<Route> routes);
  [[nodiscard]] const Router& router() const { return router_; }
  [[nodiscard]] RouteState& At(std::size_t route) { return routes_[route]; }
  /// For requests that no route took.
  [[nodiscard]] RouteMetrics& Unmatched() { return unmatched_; }

 private:
  Metrics& metrics_;
  Router router_;
  std::deque<RouteState> routes_;  // a deque: RouteState does not move
  RouteMetrics unmatched_;
};

}  // namespace seedcore::net
