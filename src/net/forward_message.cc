#include "net/forward_message.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::net {
namespace {

constexpr std::array<std::string_view, 9> kHopByHop = {
    "Connection", "Keep-Alive",        "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE",
    "Trailer",    "Transfer-Encoding", "Upgrade"};
/// Written anew for the next server.
constexpr std::string_view kForwarded = "X-SeedCore-Forwarded";
constexpr std::array<std::string_view, 8> kOfTheHop = {"Host",          "Content-Length",      "Expect",
                                                       "Authorization", "X-Request-ID",        "traceparent",
                                                       kForwarded,      "X-Request-Timeout-Ms"};
/// Written by the server that answers the client.
constexpr std::array<std::string_view, 5> kOfTheServer = {"Content-Length", "Content-Type", "Date", "X-Request-ID",
                                                          "traceparent"};

bool IsOneOf(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](std::string_view other) { return EqualsIgnoreCase(name, other); });
}

/// The fields that a Connection field of this message declares to be hop-by-hop too.
std::vector<std::string> NamedByConnection(const Headers& headers) {
  std::vector<std::string> names;
  for (const auto& [name, value] : headers.All()) {
    if (!EqualsIgnoreCase(name, "Connection")) continue;
    for (std::string& option : SplitList(value)) names.push_back(std::move(option));
  }
  return names;
}

bool IsNamed(std::string_view name, const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [&](const std::string& other) { return EqualsIgnoreCase(name, other); });
}

void AppendClean(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  // The parser lets no line break in; this keeps it so whatever parses.
  for (const char c : value) out += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? ' ' : c;
  out.append("\r\n");
}

}  // namespace

std::string ForwardedHead(const Request& request, std::string_view target, const ForwardedFields& fields) {
  const Method method = request.method == Method::kHead ? Method::kGet : request.method;
  std::string out;
  constexpr std::size_t kUsualHead = 1024;
  out.reserve(kUsualHead);
  out.append(ToString(method)).append(" ").append(target).append(" HTTP/1.1\r\n");
  AppendClean(out, "Host", fields.host);
  const auto named = NamedByConnection(request.headers);
  for (const auto& [name, value] : request.headers.All()) {
    if (IsOneOf(name, kHopByHop) || IsOneOf(name, kOfTheHop) || IsNamed(name, named)) continue;
    AppendClean(out, name, value);
  }
  const bool carries_content = method == Method::kPost || method == Method::kPut || method == Method::kPatch;
  if (carries_content || !request.body.empty()) {
    AppendClean(out, "Content-Length", fmt::format_int(request.body.size()).str());
  }
  if (!fields.token.empty()) {
    out.append("Authorization: Bearer ");
    out.append(fields.token).append("\r\n");
  }
  AppendClean(out, "X-Request-ID", request.call.request_id);
  if (!request.call.trace.trace_id.empty()) AppendClean(out, "traceparent", request.call.trace.ToHeader());
  AppendClean(out, "X-Request-Timeout-Ms",
              fmt::format_int(std::max<std::chrono::milliseconds::rep>(1, fields.time_left.count())).str());
  AppendClean(out, kForwarded, "1");
  out.append("\r\n");
  return out;
}

bool WasForwarded(const Request& request) { return request.headers.Find(kForwarded).has_value(); }

bool IsEventStream(const Response& response) {
  constexpr std::string_view kType = "text/event-stream";
  return response.status == 200 &&
         EqualsIgnoreCase(std::string_view(response.content_type).substr(0, kType.size()), kType);
}

void StripResponse(Response& response) {
  const auto named = NamedByConnection(response.headers);
  Headers kept;
  for (const auto& [name, value] : response.headers.All()) {
    if (IsOneOf(name, kHopByHop) || IsOneOf(name, kOfTheServer) || IsNamed(name, named)) continue;
    kept.Add(name, value);
  }
  response.headers = std::move(kept);
}

}  // namespace seedcore::net
