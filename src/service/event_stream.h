#pragma once

#include <memory>

#include "net/http.h"
#include "queue/event_feed.h"

namespace seedcore::app {

/// Sends the store's events to one server-sent-events client: event name "task", data as `GET /tasks/{id}/events` shows
/// them, id = seq. A client that comes back with Last-Event-ID (or `?after=SEQ`) misses nothing; `?task_id=` narrows to
/// one task. `feed` must outlive the server.
[[nodiscard]] Result<void> StreamEvents(queue::EventFeed& feed, const net::Request& request,
                                        const std::shared_ptr<net::EventStream>& stream);

}  // namespace seedcore::app
