#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seedcore::net {

/// Who may call. No tokens: everybody who can reach the port (see CheckBind).
struct AuthPolicy {
  std::vector<std::string> tokens;  ///< bearer tokens, each as good as the others

  /// `authorization`: the header's value, nullopt when absent. kUnauthenticated without saying which part was wrong.
  /// Every token is compared to its end, so that timing tells nothing about them.
  [[nodiscard]] Result<void> Check(std::optional<std::string_view> authorization) const;
};

/// Whether a server may listen on `host`. Loopback always may; anything else would hand the platform to the network, so
/// it needs tokens or the user's word that it is meant.
[[nodiscard]] Result<void> CheckBind(std::string_view host, const std::vector<std::string>& tokens,
                                     bool insecure_no_auth);

/// 127.0.0.0/8, ::1 (with or without brackets), their IPv4-mapped forms, and "localhost".
[[nodiscard]] bool IsLoopback(std::string_view host);

}  // namespace seedcore::net
