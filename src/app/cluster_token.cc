#include "app/cluster_token.h"

#include <fmt/format.h>

#include "base/secret.h"
#include "net/auth.h"

namespace seedcore::app {
namespace {

std::string TokenIn(const json::value& state) {
  if (!state.is_object()) return {};
  const json::value* token = state.get_object().if_contains("token");
  return token != nullptr && token->is_string() ? std::string(token->get_string()) : std::string();
}

}  // namespace

Result<std::string> ClusterToken(const settings::DirectSettings& settings, store::StreamStore& streams) {
  if (!settings.cluster_token.empty()) return settings.cluster_token;
  const std::string fresh = NewSecret();
  SEEDCORE_ASSIGN_OR_RETURN(const json::value state,
                            streams.Update("cluster", "token", [&](const json::value& known) -> json::value {
                              if (!TokenIn(known).empty()) return known;
                              return json::object{{"token", fresh}};
                            }));
  return TokenIn(state);
}

Result<void> CheckDirectListen(const settings::DirectSettings& settings) {
  if (net::IsLoopback(settings.listen.host) || !settings.cluster_token.empty()) return {};
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("a replica that listens on '{}' needs SEEDCORE_CLUSTER_TOKEN, the same for replicas and gateway",
                  settings.listen.host),
      "direct.listen");
}

}  // namespace seedcore::app
