#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "net/http.h"
#include "net/request_parser.h"
#include "net/route_table.h"
#include "net/server.h"
#include "net/target.h"

namespace seedcore::net {

/// What the header alone decides about a request. Kept per connection and reused.
struct Admission {
  RouteState* route = nullptr;     ///< null when no route fits
  std::optional<Response> answer;  ///< set: this is the response, no handler runs
  bool head = false;               ///< no body in the response
  bool accepts_gzip = false;
  bool gunzip = false;      ///< the body is compressed
  std::string cors_origin;  ///< the allowed origin that asked; empty: no CORS fields
  std::string traceparent;  ///< for the response, when the request carried one
};

/// Judges requests before their bodies are read: target, route, method, credentials, content type, deadline. No
/// sockets. Any thread.
class Gate {
 public:
  Gate(const ServerOptions& options, Env& env) : options_(options), env_(env) {}

  /// Fills path, query, parameters and call of `request`, and `admission`.
  void Admit(const RequestHead& head, RouteTable& routes, Request& request, Admission& admission) const;

  /// What is left to do with a response once it is known: CORS fields and compression.
  void Finish(const Admission& admission, Response& response) const;

 private:
  [[nodiscard]] Result<void> Judge(const RequestHead& head, RouteTable& routes, Request& request,
                                   Admission& admission) const;
  [[nodiscard]] Result<void> FillCall(Request& request, Admission& admission) const;
  [[nodiscard]] Result<void> CheckBody(const RequestHead& head, const Request& request, Admission& admission) const;
  void AnswerOptions(const RouteTable& routes, const Request& request, Admission& admission) const;

  const ServerOptions& options_;
  Env& env_;
};

}  // namespace seedcore::net
