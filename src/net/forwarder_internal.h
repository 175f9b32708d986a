#pragma once

#include <memory>

#include "net/event_buffer.h"
#include "net/handler_call.h"

// Internal to the server: what a forwarder needs of the connection that a request came in on.
namespace seedcore::net {

class IoLoop;

/// Only on its loop's thread.
class ForwardCaller {
 public:
  virtual ~ForwardCaller() = default;
  [[nodiscard]] virtual IoLoop& loop() = 0;
  /// The buffer that a streamed answer is written from. Set as `call->stream` with `call->accepted` before Answered.
  [[nodiscard]] virtual std::shared_ptr<EventBuffer> OpenStream() = 0;
  /// `call` has its response, or its stream. At most once.
  virtual void Answered(const std::shared_ptr<HandlerCall>& call) = 0;
};

}  // namespace seedcore::net
