#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/env.h"
#include "net/http.h"

namespace seedcore::net {

/// What a response is framed with, beside the Response itself. Views need to live only during the call.
struct ResponseFrame {
  bool http11 = true;
  bool keep_alive = true;
  bool head = false;             ///< answer to HEAD: length, but no body
  bool chunked_stream = false;   ///< the body follows in chunks; `Response::body` is not sent
  bool endless_stream = false;   ///< the body follows until the connection closes (HTTP/1.0)
  std::string_view date;         ///< HttpDate()
  std::string_view request_id;   ///< echoed; empty: no field
  std::string_view traceparent;  ///< empty: no field
};

/// Appends status line, fields and body. Characters that would end a field early become spaces.
void AppendResponse(std::string& out, const Response& response, const ResponseFrame& frame);

/// "OK", "Not Found", ...; "Unknown" for a status without a name.
[[nodiscard]] std::string_view ReasonPhrase(int status);
/// RFC 9110 date, "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string HttpDate(WallTime time);

/// One server-sent event; every line of `data` becomes a data field.
[[nodiscard]] std::string FormatEvent(std::string_view event, std::string_view data, std::string_view id);
/// Appends `payload` as one HTTP chunk; nothing for an empty payload, which would end the body.
void AppendChunk(std::string& out, std::string_view payload);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace seedcore::net
