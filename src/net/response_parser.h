#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace seedcore::net {

/// Bytes to one response, on Beast's parser. Interim responses (1xx) are skipped. Not thread-safe.
class ResponseParser {
 public:
  enum class State { kNeedMore, kHeader, kDone };

  /// `head_only`: the answer to a HEAD request, which has no body whatever it says.
  ResponseParser(bool head_only, std::size_t max_body_bytes);
  ~ResponseParser();

  /// As RequestParser::Feed. Body bytes are appended to response().body.
  [[nodiscard]] Result<State> Feed(std::string_view bytes, std::size_t& consumed);
  /// The connection has ended: done if the response is delimited by that, otherwise kUnavailable.
  [[nodiscard]] Result<State> End();

  [[nodiscard]] Response& response();
  [[nodiscard]] bool keep_alive() const;
  /// Whether any byte of it has come.
  [[nodiscard]] bool Started() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seedcore::net
