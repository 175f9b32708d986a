#include <algorithm>

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <fmt/format.h>

#include "organism/executors/executors.h"

namespace seedcore::organism {
namespace {

namespace urls = boost::urls;

struct WebhookArguments {
  std::string url;
  json::value body;
  static constexpr auto kFields = Fields(Required("url", &WebhookArguments::url, "Where to POST; must be allowed"),
                                         Optional("body", &WebhookArguments::body, "JSON to send"));
};

/// An http or https URL in its normal form: lower-case host, no dot segments, the port written out. Credentials and
/// fragments have no place in one.
Result<urls::url> ParseWebUrl(const std::string& text) {
  const auto parsed = urls::parse_uri(text);
  if (parsed.has_error()) return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a URL", text));
  urls::url url(*parsed);
  url.normalize();
  const bool https = url.scheme_id() == urls::scheme::https;
  if (!https && url.scheme_id() != urls::scheme::http) {
    return Fail(ErrorCode::kInvalidArgument, "expected http:// or https://");
  }
  if (url.encoded_host().empty()) return Fail(ErrorCode::kInvalidArgument, "the URL names no host");
  if (url.has_userinfo()) return Fail(ErrorCode::kInvalidArgument, "a URL with credentials is not accepted");
  if (url.has_fragment()) return Fail(ErrorCode::kInvalidArgument, "a URL with a fragment is not accepted");
  if (!url.has_port()) url.set_port_number(https ? 443 : 80);
  return url;
}

/// Same scheme, host and port, and a path that continues the allowed one at a slash.
bool IsAllowed(const urls::url& url, const urls::url& allowed) {
  if (url.scheme_id() != allowed.scheme_id() || url.port_number() != allowed.port_number()) return false;
  if (std::string_view(url.encoded_host()) != std::string_view(allowed.encoded_host())) return false;
  const std::string path(url.encoded_path());
  std::string prefix(allowed.encoded_path());
  while (prefix.ends_with('/')) prefix.pop_back();
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace

Result<Tool> MakeWebhookTool(WebhookPost post, const std::vector<std::string>& allow) {
  std::vector<urls::url> allowed;
  for (const std::string& text : allow) {
    auto url = ParseWebUrl(text);
    if (!url) return Fail(ErrorCode::kInvalidArgument, url.error().message, "SEEDCORE_WEBHOOK_ALLOW");
    allowed.push_back(std::move(*url));
  }
  return Tool{
      .name = "webhook",
      .doc =
          "Sends JSON to an allowed URL by POST, with the task's idempotency key and deadline. Quality: 1 for a 2xx "
          "reply; every other reply is a failure.",
      .arguments_schema = ParamsSchema<WebhookArguments>(),
      .run = [post = std::move(post), allowed = std::move(allowed)](const json::object& json,
                                                                    const CallContext& call) -> Result<ToolOutput> {
        SEEDCORE_ASSIGN_OR_RETURN(const auto arguments, FromJson<WebhookArguments>(json));
        auto url = ParseWebUrl(arguments.url);
        if (!url) return Fail(url.error().code, url.error().message, "url");
        if (std::ranges::none_of(allowed, [&](const urls::url& prefix) { return IsAllowed(*url, prefix); })) {
          return Fail(ErrorCode::kPermissionDenied,
                      fmt::format("{} is not allowed; add it, or what it begins with, to SEEDCORE_WEBHOOK_ALLOW",
                                  arguments.url),
                      "url");
        }
        if (!post) return Fail(ErrorCode::kUnavailable, "no HTTP client is connected");
        // The normal form is what was checked, so it is what is called.
        const std::string target(url->buffer());
        SEEDCORE_ASSIGN_OR_RETURN(json::value reply, post(target, arguments.body, call));
        return ToolOutput{.text = fmt::format("{} accepted the call.", target),
                          .data = json::object{{"url", target}, {"reply", std::move(reply)}}};
      }};
}

}  // namespace seedcore::organism
