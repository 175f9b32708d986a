#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seedcore::net {

/// Decoded request target.
struct Target {
  std::string path;  ///< starts with '/', no empty, "." or ".." segment, no '/' at the end (but "/" itself), UTF-8
  std::multimap<std::string, std::string> query;
};

/// Parses an origin-form target, "/a/b?x=1". kMalformed for absolute-form, dot segments, encoded slashes, bad escapes,
/// control characters and invalid UTF-8: what proxies and file systems disagree about is refused, not guessed. Repeated
/// slashes and one at the end are dropped. `out` is overwritten; its storage is reused.
[[nodiscard]] Result<void> ParseTarget(std::string_view target, Target& out);

/// "a=1&b=two+words", decoded into `out`. kMalformed as above, or for more than 256 parameters.
[[nodiscard]] Result<void> ParseQuery(std::string_view query, std::multimap<std::string, std::string>& out);

/// Encodes all but unreserved characters (RFC 3986).
[[nodiscard]] std::string PercentEncode(std::string_view text);

/// A host and a port, as in "127.0.0.1:8000", "[::1]:8000", "localhost:0".
struct HostPort {
  std::string host;  ///< without brackets
  std::uint16_t port = 0;

  /// With brackets around an IPv6 address.
  [[nodiscard]] std::string ToString() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
  friend auto operator<=>(const HostPort&, const HostPort&) = default;
};
/// An empty host means 127.0.0.1. kInvalidArgument when there is no port or it is not one.
[[nodiscard]] Result<HostPort> ParseHostPort(std::string_view text);

/// Where a client sends to: "http://127.0.0.1:8000/prefix" or https.
struct BaseUrl {
  HostPort where;
  bool tls = false;
  std::string prefix;  ///< "" or "/prefix", without a slash at the end

  friend bool operator==(const BaseUrl&, const BaseUrl&) = default;
};
/// A missing scheme means http, a missing port 80, or 443 with https. kInvalidArgument for what is no such URL.
[[nodiscard]] Result<BaseUrl> ParseBaseUrl(std::string_view text);

/// Strict UTF-8: no overlong forms, no surrogates.
[[nodiscard]] bool IsUtf8(std::string_view text);

}  // namespace seedcore::net
