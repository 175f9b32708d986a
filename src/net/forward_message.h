#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "net/http.h"

/// What a request and a response become on their way through a forwarder. Pure.
namespace seedcore::net {

/// What the next server is told instead of what the client said.
struct ForwardedFields {
  std::string_view host;                   ///< "10.0.0.7:30001"
  std::string_view token;                  ///< bearer token of the hop; empty: none
  std::chrono::milliseconds time_left{0};  ///< until the deadline of the call; at least 1 is sent
};

/// The request head, framed anew by the length of the body that was received: whatever framing the client used, the
/// next server sees one request that ends where ours ended. Hop-by-hop fields (RFC 9110 7.6.1) and those that
/// `Connection` names are left out, and so are the client's credentials; request id and trace are those of
/// `request.call`. HEAD is asked for as GET. `target` as in the request line.
/// It says that it was forwarded, which WasForwarded reads; what a client claims about that is dropped.
[[nodiscard]] std::string ForwardedHead(const Request& request, std::string_view target, const ForwardedFields& fields);

/// Whether a forwarder has sent the request. Such a request is not forwarded again, so that none goes in circles
/// between servers that each take the other for the one that answers.
[[nodiscard]] bool WasForwarded(const Request& request);

[[nodiscard]] bool IsEventStream(const Response& response);

/// Takes out of a received response what belongs to its connection, and what the answering server writes itself.
void StripResponse(Response& response);

}  // namespace seedcore::net
