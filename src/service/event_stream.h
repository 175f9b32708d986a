#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/json_binding.h"
#include "net/http.h"
#include "queue/event_feed.h"

namespace seedcore::service {

/// Which events a client wants.
struct EventsRequest {
  std::optional<std::int64_t> after;
  std::string task_id;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Optional("after", &EventsRequest::after, "Only events after this one; default: those from now on"),
             Optional("task_id", &EventsRequest::task_id, "Only events of this task"));
};

/// Sends the store's events to one server-sent-events client: event name "task", data a TaskEventRead, id = seq. A
/// client that comes back with the last id it has seen misses nothing, and gets nothing twice. Bounded: a client that
/// does not read is disconnected. kUnavailable without a `feed`. The feed outlives the server of `stream`.
[[nodiscard]] Result<void> StreamTaskEvents(queue::EventFeed* feed, const EventsRequest& request,
                                            const std::shared_ptr<net::EventStream>& stream);

}  // namespace seedcore::service
