#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seedcore::net {

/// One server-sent event as it arrived. Views live during the callback only.
struct ServerEvent {
  std::string_view event;  ///< "message" when the stream named none
  std::string_view data;
  std::string_view id;  ///< the last id seen, as the specification has it
};
/// False ends the stream.
using EventCallback = std::function<bool(const ServerEvent&)>;

/// text/event-stream to events (WHATWG HTML 9.2.6), from pieces of any size.
class SseParser {
 public:
  static constexpr std::size_t kMaxEventBytes = 4 * 1024 * 1024;

  /// False when the callback ended the stream. kPayloadTooLarge when an event does not end.
  [[nodiscard]] Result<bool> Feed(std::string_view bytes, const EventCallback& callback);

 private:
  /// False when the callback ended the stream.
  bool TakeLine(std::string_view line, const EventCallback& callback);

  std::string line_;
  std::string event_;
  std::string data_;
  std::string id_;
  bool after_cr_ = false;
};

}  // namespace seedcore::net
