#include "net/auth.h"

#include <arpa/inet.h>

#include <fmt/format.h>

#include "base/strings.h"
#include "net/http.h"

namespace seedcore::net {

Result<void> AuthPolicy::Check(std::optional<std::string_view> authorization) const {
  if (tokens.empty()) return {};
  constexpr std::string_view kScheme = "bearer ";
  if (!authorization) return Fail(ErrorCode::kUnauthenticated, "a bearer token is needed");
  if (authorization->size() < kScheme.size() || !EqualsIgnoreCase(authorization->substr(0, kScheme.size()), kScheme)) {
    return Fail(ErrorCode::kUnauthenticated, "the Authorization header must be 'Bearer <token>'");
  }
  const std::string_view presented = Trim(authorization->substr(kScheme.size()));
  bool known = false;
  for (const std::string& token : tokens) {
    // No early exit: the time taken must not tell how far the list was searched.
    known = ConstantTimeEquals(presented, token) || known;
  }
  if (!known || presented.empty()) return Fail(ErrorCode::kUnauthenticated, "the bearer token is not known");
  return {};
}

bool IsLoopback(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (EqualsIgnoreCase(host, "localhost")) return true;
  const std::string text(host);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<void> CheckBind(std::string_view host, const std::vector<std::string>& tokens, bool insecure_no_auth) {
  if (IsLoopback(host) || insecure_no_auth) return {};
  for (const std::string& token : tokens) {
    if (!token.empty()) return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("listening on '{}' would let anyone on the network in: set SEEDCORE_API_TOKENS, or pass "
                          "--insecure-no-auth if that is meant",
                          host),
              "SEEDCORE_API_TOKENS");
}

}  // namespace seedcore::net
