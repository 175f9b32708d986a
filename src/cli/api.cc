#include "cli/api.h"

#include <cstdio>
#include <limits>

#include <fmt/format.h>

#include "base/env.h"
#include "cli/terminal.h"
#include "net/client.h"
#include "net/target.h"

namespace seedcore::cli {
namespace {

constexpr std::chrono::milliseconds kGrace{500};  // so that the server's own deadline error arrives before ours
constexpr int kNoBreaker = std::numeric_limits<int>::max();

/// Of a call that got no answer.
Error Explain(Error error, const std::string& base_url) {
  if (error.code == ErrorCode::kUnavailable && error.path.empty()) {
    error.message = fmt::format("no answer from {}: {}. Is `seedcore up` running?", base_url, error.message);
  }
  return error;
}

/// Where nothing says what to talk to, that is what `up` would listen at by the same settings.
void FollowListener(settings::Settings& settings, const char* url_name, std::string& url, const char* listen_name,
                    const settings::HostPort& listen) {
  using settings::SourceKind;
  settings::Source& source = settings.sources[url_name];
  if (source.kind != SourceKind::kDefault || settings.sources[listen_name].kind == SourceKind::kDefault) return;
  if (listen.port == 0) return;
  const bool everywhere = listen.host == "0.0.0.0" || listen.host == "::";
  url = "http://" + net::HostPort{everywhere ? "127.0.0.1" : listen.host, listen.port}.ToString();
  source.text = listen_name;
}

}  // namespace

struct Api::Impl {
  explicit Impl(settings::ClientSettings given)
      : settings(std::move(given)),
        tasks(Options(settings.api_url), RealEnv()),
        services(Options(settings.services_url), RealEnv()) {}

  [[nodiscard]] net::ClientOptions Options(const std::string& base_url) const {
    net::ClientOptions options;
    options.base_url = base_url;
    options.token = settings.api_token;
    // A program that runs once has nobody to spare, and each answer may say something else.
    options.breaker.failures_to_open = kNoBreaker;
    return options;
  }

  Result<json::value> Send(net::Method method, const std::string& path, std::string body, const std::string& key,
                           Target target, bool any_status) {
    net::Client& client = target == Target::kTasks ? tasks : services;
    CallContext call;
    call.idempotency_key = key;
    call = call.Within(settings.timeout + kGrace, RealEnv());
    net::ClientRequest request{.method = method, .target = path, .body = std::move(body)};
    auto response = client.SendForAnyStatus(request, call);
    const std::string& base_url = target == Target::kTasks ? settings.api_url : settings.services_url;
    if (!response) return std::unexpected(Explain(std::move(response.error()), base_url));
    if (response->status >= 400 && !any_status) return std::unexpected(net::DecodeError(*response));
    auto document = ParseJson(response->body);
    if (!document) return Fail(ErrorCode::kInternal, "the server answered something that is not JSON", base_url + path);
    return std::move(*document);
  }

  settings::ClientSettings settings;
  net::Client tasks;
  net::Client services;
};

Api::Api(settings::ClientSettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Api::~Api() = default;

Result<json::value> Api::Get(const std::string& path, Target target) {
  return impl_->Send(net::Method::kGet, path, "", "", target, false);
}

Result<json::value> Api::Post(const std::string& path, const json::value& body, const std::string& idempotency_key,
                              Target target) {
  return impl_->Send(net::Method::kPost, path, WriteJson(body), idempotency_key, target, false);
}

Result<json::value> Api::Put(const std::string& path, const json::value& body, Target target) {
  return impl_->Send(net::Method::kPut, path, WriteJson(body), "", target, false);
}

Result<json::value> Api::Delete(const std::string& path, Target target) {
  return impl_->Send(net::Method::kDelete, path, "", "", target, false);
}

Result<json::value> Api::GetAnyStatus(const std::string& path, Target target) {
  return impl_->Send(net::Method::kGet, path, "", "", target, true);
}

Result<settings::Settings> LoadSettings(const Arguments& arguments) {
  std::map<std::string, std::string> flags;
  for (const settings::Setting& setting : settings::Catalog()) {
    if (!setting.flag.empty() && arguments.Has(setting.flag)) flags[setting.flag] = arguments.Get(setting.flag);
  }
  auto settings = settings::Load(flags, arguments.Get("config"));
  if (settings) {
    FollowListener(*settings, "client.api_url", settings->client.api_url, "server.api_listen",
                   settings->server.api_listen);
    FollowListener(*settings, "client.services_url", settings->client.services_url, "server.listen",
                   settings->server.listen);
    for (const std::string& warning : settings->warnings) fmt::print(stderr, "seedcore: warning: {}\n", warning);
  }
  return settings;
}

int ReportError(const Error& error) {
  fmt::print(stderr, "seedcore: {}{}\n", error.message, error.path.empty() ? "" : " (" + error.path + ")");
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kMalformed: return kExitUsage;
    case ErrorCode::kNotFound:
    case ErrorCode::kAmbiguous: return kExitNotFound;
    case ErrorCode::kUnavailable: return kExitUnreachable;
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kRequestTimeout: return kExitTimeout;
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kConflict:
    case ErrorCode::kPayloadTooLarge:
    case ErrorCode::kResourceExhausted: return kExitRefused;
    default: return kExitFailed;
  }
}

void PrintJson(const json::value& value) {
  fmt::print("{}\n", IsTerminal() ? WriteJsonPretty(value) : WriteJson(value));
}

std::string TextOf(const json::value& object, std::string_view key, std::string fallback) {
  const auto* members = object.if_object();
  const json::value* found = members == nullptr ? nullptr : members->if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::move(fallback);
}

}  // namespace seedcore::cli
