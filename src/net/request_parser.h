#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "net/limits.h"

namespace seedcore::net {

/// What the request line and the framing said, beside the Request itself.
struct RequestHead {
  std::string method;  ///< as sent
  std::string target;  ///< as sent
  bool http11 = true;
  bool keep_alive = true;
  bool has_body = false;
  bool chunked = false;
  bool expects_continue = false;
  std::size_t content_length = 0;
};

/// Bytes to requests, one connection's worth: HTTP/1.0 and 1.1 framing on Beast's parser, with the strictness that
/// keeps two readers of the same bytes from seeing different requests. Never reads past the message. Not thread-safe.
class RequestParser {
 public:
  enum class State {
    kNeedMore,  ///< feed again, starting with the bytes that were not consumed
    kHeader,    ///< the header is complete, the body (if any) is still to come
    kDone,      ///< the message is complete
  };

  explicit RequestParser(const ServerLimits& limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;

  /// Forgets the last message. `request` gets headers and body of the next one; it must outlive the parsing.
  void Start(Request& request);
  /// Consumes from `bytes`, stops after the header once and after the message. kMalformed for what breaks the protocol
  /// or the header limits, kPayloadTooLarge for the body limit, kUnsupportedMedia for an unknown transfer coding; after
  /// an error the connection can't be used further.
  [[nodiscard]] Result<State> Feed(std::string_view bytes, std::size_t& consumed);
  /// The body that follows is read but not kept: the answer is already known.
  void DiscardBody();

  [[nodiscard]] const RequestHead& Head() const;
  /// Whether a byte of the current message was consumed.
  [[nodiscard]] bool Started() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seedcore::net
