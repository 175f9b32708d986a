#include "app/webhook.h"

#include <map>
#include <memory>
#include <mutex>

#include "net/client.h"

namespace seedcore::app {
namespace {

constexpr std::size_t kMaxServers = 64;

struct SplitUrl {
  std::string server;  // "http://host:port"
  std::string target;  // "/path?query"
};

Result<SplitUrl> Split(const std::string& url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos) return Fail(ErrorCode::kInvalidArgument, "not a URL", "url");
  const std::size_t path = url.find('/', scheme_end + 3);
  if (path == std::string::npos) return SplitUrl{url, "/"};
  return SplitUrl{url.substr(0, path), url.substr(path)};
}

/// Clients by server, so that connections and the breaker's memory are kept between calls.
class WebhookClients {
 public:
  WebhookClients(std::chrono::milliseconds timeout, Env& env) : timeout_(timeout), env_(env) {}

  Result<json::value> Post(const std::string& url, const json::value& body, const CallContext& call) {
    SEEDCORE_ASSIGN_OR_RETURN(const SplitUrl parts, Split(url));
    SEEDCORE_ASSIGN_OR_RETURN(const auto client, ClientOf(parts.server));
    SEEDCORE_ASSIGN_OR_RETURN(
        const net::Response response,
        client->Send({.method = net::Method::kPost, .target = parts.target, .body = WriteJson(body)},
                     call.Within(timeout_, env_)));
    if (response.body.empty()) return json::value(nullptr);
    return ParseJson(response.body);
  }

 private:
  Result<std::shared_ptr<net::Client>> ClientOf(const std::string& server) {
    const std::scoped_lock lock(mutex_);
    auto found = clients_.find(server);
    if (found != clients_.end()) return found->second;
    if (clients_.size() >= kMaxServers) {
      return Fail(ErrorCode::kResourceExhausted, "webhooks to more than 64 servers", "url");
    }
    return clients_.emplace(server, std::make_shared<net::Client>(net::ClientOptions{.base_url = server}, env_))
        .first->second;
  }

  const std::chrono::milliseconds timeout_;
  Env& env_;
  std::mutex mutex_;  // guards clients_
  std::map<std::string, std::shared_ptr<net::Client>> clients_;
};

}  // namespace

organism::WebhookPost MakeWebhookPost(const settings::OrganismSettings& settings, Env& env) {
  const auto clients = std::make_shared<WebhookClients>(settings.webhook_timeout, env);
  return [clients](const std::string& url, const json::value& body, const CallContext& call) {
    return clients->Post(url, body, call);
  };
}

}  // namespace seedcore::app
