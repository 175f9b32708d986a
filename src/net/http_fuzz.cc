// Arbitrary bytes through the path that a connection's bytes take: framing, target, route. Build with the `fuzz`
// preset.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/env.h"
#include "base/metrics.h"
#include "net/gate.h"
#include "net/gzip.h"
#include "net/request_parser.h"
#include "net/response_parser.h"
#include "net/route_table.h"
#include "net/server.h"
#include "net/sse_parser.h"

namespace seedcore::net {
namespace {

constexpr std::size_t kBuffer = 3 * 1024;

ServerOptions SmallLimits() {
  ServerOptions options;
  options.limits.header_bytes = 2 * 1024;
  options.limits.header_fields = 20;
  options.limits.body_bytes = 4 * 1024;
  return options;
}

struct World {
  World() : options(SmallLimits()), gate(options, RealEnv()), routes(metrics) {
    const Handler handler = [](const Request&) { return Response{}; };
    const auto added = routes.Add({{.method = Method::kGet, .pattern = "/", .handler = handler},
                                   {.method = Method::kPost, .pattern = "/a", .handler = handler},
                                   {.method = Method::kGet, .pattern = "/a/{x}/b/{y}", .handler = handler},
                                   {.method = Method::kPut, .pattern = "/a/b/{z}", .handler = handler}});
    SEEDCORE_CHECK(added.has_value(), "the patterns are good");
  }
  const ServerOptions options;
  Metrics metrics;
  Gate gate;
  RouteTable routes;
};

World& TheWorld() {
  static World world;
  return world;
}

void CheckAdmission(const RequestHead& head, Request& request) {
  Admission admission;
  TheWorld().gate.Admit(head, TheWorld().routes, request, admission);
  SEEDCORE_CHECK(admission.answer || admission.route != nullptr, "a request is routed or answered");
  SEEDCORE_CHECK(!request.call.request_id.empty(), "every request has an id");
  if (admission.answer && admission.answer->status == 400) return;
  if (head.target == "*") return;
  SEEDCORE_CHECK(request.path.starts_with('/') && IsUtf8(request.path), "paths are decoded UTF-8");
  SEEDCORE_CHECK((request.path + "/").find("/../") == std::string::npos, "no dot segments");
  SEEDCORE_CHECK(request.path.find('\0') == std::string::npos, "no NUL");
}

/// Reads `bytes` as a connection would, in pieces, and returns the complete requests up to the first fault.
std::vector<std::string> ReadRequests(std::string_view bytes, std::size_t piece) {
  std::vector<std::string> seen;
  RequestParser parser(TheWorld().options.limits);
  Request request;
  std::string buffer;
  bool in_message = false;
  while (true) {
    if (!in_message && !buffer.empty()) {
      parser.Start(request);
      in_message = true;
    }
    bool need_more = buffer.empty();
    if (!need_more) {
      std::size_t consumed = 0;
      const auto state = parser.Feed(buffer, consumed);
      SEEDCORE_CHECK(consumed <= buffer.size(), "no more is consumed than there is");
      buffer.erase(0, consumed);
      if (!state) return seen;
      SEEDCORE_CHECK(request.body.size() <= TheWorld().options.limits.body_bytes, "bodies are bounded");
      SEEDCORE_CHECK(request.headers.All().size() <= TheWorld().options.limits.header_fields, "fields are bounded");
      if (*state == RequestParser::State::kDone) {
        in_message = false;
        seen.push_back(parser.Head().method + " " + parser.Head().target + " " + request.body);
        CheckAdmission(parser.Head(), request);
      }
      need_more = *state == RequestParser::State::kNeedMore;
    }
    if (!need_more) continue;
    if (bytes.empty()) return seen;
    if (buffer.size() >= kBuffer) return seen;
    const std::size_t size = std::min({piece, bytes.size(), kBuffer - buffer.size()});
    buffer.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

void ReadResponse(std::string_view bytes) {
  ResponseParser parser(false, 4096);
  SseParser events;
  while (!bytes.empty()) {
    std::size_t consumed = 0;
    const auto state = parser.Feed(bytes, consumed);
    if (!state) return;
    bytes.remove_prefix(consumed);
    (void)events.Feed(parser.response().body, [](const ServerEvent&) { return true; });
    parser.response().body.clear();
    if (*state == ResponseParser::State::kDone) return;
    if (*state == ResponseParser::State::kNeedMore) break;
  }
  (void)parser.End();
}

}  // namespace
}  // namespace seedcore::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace seedcore::net;
  if (size == 0) return 0;
  const std::size_t piece = 1U + data[0] % 64U;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  // How the network cuts the bytes must not change what they mean. (It may change when a fault is noticed.)
  SEEDCORE_CHECK(ReadRequests(bytes, kBuffer) == ReadRequests(bytes, piece), "one stream of bytes has one reading");
  ReadResponse(bytes);
  (void)Gunzip(bytes, 64 * 1024);
  Target target;
  if (ParseTarget(bytes, target)) SEEDCORE_CHECK(target.path.starts_with('/'), "targets become paths");
  return 0;
}
