#include "net/gate.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/strings.h"
#include "net/gzip.h"

namespace seedcore::net {
namespace {

constexpr std::size_t kMaxRequestId = 128;
constexpr std::size_t kMaxIdempotencyKey = 255;

/// A client's id goes into logs and headers, so only what is harmless there is taken over.
bool IsUsableRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestId && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/+=@").find(c) != std::string_view::npos;
  });
}

bool IsVisibleAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool IsJson(std::string_view content_type) {
  const std::string type = ToLower(Trim(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" || (type.starts_with("application/") && type.ends_with("+json"));
}

}  // namespace

void Gate::Admit(const RequestHead& head, RouteTable& routes, Request& request, Admission& admission) const {
  admission.route = nullptr;
  admission.answer.reset();
  admission.head = head.method == "HEAD";
  admission.gunzip = false;
  admission.cors_origin.clear();
  admission.traceparent.clear();
  request.query.clear();
  request.path_params.clear();
  if (const auto accepted = request.headers.Find("Accept-Encoding")) {
    admission.accepts_gzip = AcceptsGzip(*accepted);
  } else {
    admission.accepts_gzip = false;
  }
  if (const auto origin = request.headers.Find("Origin"); origin && !options_.cors_allowed_origins.empty()) {
    for (const std::string& allowed : options_.cors_allowed_origins) {
      if (allowed == "*" || allowed == *origin) admission.cors_origin = *origin;
    }
  }
  if (auto judged = Judge(head, routes, request, admission); !judged) {
    Response response = ErrorResponse(judged.error());
    if (judged.error().code == ErrorCode::kUnauthenticated) {
      response.headers.Add("WWW-Authenticate", R"(Bearer realm="seedcore")");
    }
    if (judged.error().code == ErrorCode::kMethodNotAllowed) {
      response.headers.Add("Allow", routes.router().AllowedMethods(request.path));
    }
    admission.answer = std::move(response);
  }
}

Result<void> Gate::Judge(const RequestHead& head, RouteTable& routes, Request& request, Admission& admission) const {
  const auto call = FillCall(request, admission);  // first: even a refusal carries the request id
  const auto method = ParseMethod(head.method);
  request.method = method.value_or(Method::kGet);
  request.path.clear();
  if (method == Method::kOptions && head.target == "*") {
    admission.answer = Response{.status = 204};
    return {};
  }
  thread_local Target target;
  SEEDCORE_RETURN_IF_ERROR(ParseTarget(head.target, target));
  request.path.swap(target.path);
  request.query.swap(target.query);
  SEEDCORE_RETURN_IF_ERROR(call);

  thread_local Router::Match match;
  routes.router().Find(request.method, request.path, match);
  if (!match.path_exists) {
    return Fail(ErrorCode::kNotFound, fmt::format("no route for {} {}", head.method, request.path));
  }
  if (method == Method::kOptions && match.route == Router::kNone) {
    AnswerOptions(routes, request, admission);
    return {};
  }
  if (!method || match.route == Router::kNone) {
    return Fail(ErrorCode::kMethodNotAllowed, fmt::format("{} does not answer to {}", request.path, head.method));
  }
  RouteState& route = routes.At(match.route);
  admission.route = &route;
  if (route.route.requires_auth) {
    SEEDCORE_RETURN_IF_ERROR(options_.auth.Check(request.headers.Find("Authorization")));
  }
  const auto& names = routes.router().Parameters(match.route);
  for (std::size_t i = 0; i < names.size(); ++i) request.path_params.emplace(names[i], match.values[i]);
  return CheckBody(head, request, admission);
}

Result<void> Gate::FillCall(Request& request, Admission& admission) const {
  CallContext& call = request.call;
  const Headers& headers = request.headers;
  call.idempotency_key.clear();
  call.task_id.clear();
  call.stop = {};
  if (const auto id = headers.Find("X-Request-ID"); id && IsUsableRequestId(*id)) {
    call.request_id = *id;
  } else {
    call.request_id = env_.NewId();
  }
  const auto traceparent = headers.Find("traceparent");
  const auto parent = traceparent ? ParseTraceparent(*traceparent) : std::nullopt;
  if (parent) {
    call.trace = ChildOf(*parent, env_);
    admission.traceparent = call.trace.ToHeader();
  } else {
    call.trace = NewTrace(env_);
  }
  auto budget = options_.limits.request;
  if (const auto asked = headers.Find("X-Request-Timeout-Ms")) {
    std::uint32_t ms = 0;
    const auto [end, error] = std::from_chars(asked->data(), asked->data() + asked->size(), ms);
    if (error != std::errc{} || end != asked->data() + asked->size() || ms == 0) {
      return Fail(ErrorCode::kMalformed, "X-Request-Timeout-Ms must be a positive number of milliseconds");
    }
    budget = std::min(std::chrono::milliseconds(ms), options_.limits.request_max);
  }
  call.deadline = env_.Now() + budget;
  if (const auto key = headers.Find("Idempotency-Key")) {
    if (key->empty() || key->size() > kMaxIdempotencyKey || !IsVisibleAscii(*key)) {
      return Fail(ErrorCode::kMalformed, "Idempotency-Key must be 1 to 255 visible ASCII characters");
    }
    call.idempotency_key = *key;
  }
  return {};
}

Result<void> Gate::CheckBody(const RequestHead& head, const Request& request, Admission& admission) const {
  const auto encoding = request.headers.Find("Content-Encoding");
  if (encoding && head.has_body && !EqualsIgnoreCase(*encoding, "identity")) {
    if (!EqualsIgnoreCase(*encoding, "gzip") && !EqualsIgnoreCase(*encoding, "x-gzip")) {
      return Fail(ErrorCode::kUnsupportedMedia, "the only content encoding understood is gzip");
    }
    admission.gunzip = true;
  }
  const bool carries_content =
      request.method == Method::kPost || request.method == Method::kPut || request.method == Method::kPatch;
  if (!carries_content || !head.has_body) return {};
  const auto type = request.headers.Find("Content-Type");
  if (type && !type->empty() && !IsJson(*type)) {
    return Fail(ErrorCode::kUnsupportedMedia, fmt::format("expected application/json, got '{}'", *type),
                "Content-Type");
  }
  return {};
}

void Gate::AnswerOptions(const RouteTable& routes, const Request& request, Admission& admission) const {
  const std::string methods = routes.router().AllowedMethods(request.path);
  Response response{.status = 204};
  response.headers.Add("Allow", methods);
  if (!admission.cors_origin.empty()) {
    response.headers.Add("Access-Control-Allow-Methods", methods);
    response.headers.Add(
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, X-Request-ID, X-Request-Timeout-Ms, traceparent");
    response.headers.Add("Access-Control-Max-Age", "600");
  }
  admission.answer = std::move(response);
}

void Gate::Finish(const Admission& admission, Response& response) const {
  if (!options_.cors_allowed_origins.empty()) {
    if (!admission.cors_origin.empty()) {
      response.headers.Add("Access-Control-Allow-Origin", admission.cors_origin);
      response.headers.Add("Access-Control-Expose-Headers", "X-Request-ID");
    }
    response.headers.Add("Vary", "Origin");
  }
  if (response.body.size() < options_.limits.gzip_min_bytes || !IsCompressible(response.content_type) ||
      response.headers.Find("Content-Encoding")) {
    return;
  }
  response.headers.Add("Vary", "Accept-Encoding");
  if (!admission.accepts_gzip) return;
  response.body = Gzip(response.body);
  response.headers.Add("Content-Encoding", "gzip");
}

}  // namespace seedcore::net
