#include "net/route_table.h"

#include <utility>

#include <fmt/format.h>

#include "net/forwarder.h"

namespace seedcore::net {

RouteMetrics::RouteMetrics(Metrics& metrics, std::string pattern, std::string_view method)
    : metrics_(metrics),
      pattern_(std::move(pattern)),
      method_(method),
      seconds_(metrics.GetHistogram("seedcore_http_request_seconds", "Time from the complete request to the response",
                                    DurationBuckets(), {{"route", pattern_}})) {}

void RouteMetrics::Observe(int status, double seconds) {
  const auto index = static_cast<std::size_t>(status);
  if (index >= kStatuses) return;
  Counter* counter = by_status_[index].load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Two threads may both come here; they get the same handle.
    counter = &metrics_.GetCounter("seedcore_http_requests_total", "HTTP requests answered",
                                   {{"route", pattern_}, {"method", method_}, {"status", std::to_string(status)}});
    by_status_[index].store(counter, std::memory_order_release);
  }
  counter->Increment();
  seconds_.Observe(seconds);
}

RouteTable::RouteTable(Metrics& metrics) : metrics_(metrics), unmatched_(metrics, "unmatched", "any") {}

Result<void> RouteTable::Add(std::vector<Route> routes) {
  for (Route& route : routes) {
    const bool by_request = route.handler && route.forwarder && route.forwards && !route.stream;
    if (!by_request && (route.handler ? 1 : 0) + (route.stream ? 1 : 0) + (route.forwarder ? 1 : 0) != 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("route '{} {}' needs one of a handler, a stream handler and a forwarder",
                              ToString(route.method), route.pattern));
    }
    SEEDCORE_RETURN_IF_ERROR(router_.Add(route.method, route.pattern));
    routes_.emplace_back(std::move(route), metrics_);
  }
  return {};
}

}  // namespace seedcore::net
