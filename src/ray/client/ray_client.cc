#include "ray/client/ray_client.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "ray/client/actor_calls.h"
#include "ray/client/driver_calls.h"
#include "ray/client/probe.h"
#include "ray/client/session.h"
#include "ray/version.h"

namespace seedcore::ray {
namespace {

class Client final : public RayClient {
 public:
  Client(const RayClientOptions& options, std::string address, Env& env)
      : options_(options),
        address_(std::move(address)),
        env_(env),
        channel_({.address = address_,
                  .tls = options.tls,
                  .token = options.token,
                  .max_message_bytes = std::max(options.results.max_bytes, options.max_argument_bytes)},
                 env) {}

  ~Client() override { Close(); }

  Result<void> Connect(const CallContext& call) {
    const CallContext bounded = call.Within(options_.connect, env_);
    SEEDCORE_RETURN_IF_ERROR(Probe(channel_, address_, options_, env_, bounded));
    auto session = Session::Open(channel_,
                                 {.ray_namespace = options_.ray_namespace,
                                  .reconnect_grace = options_.reconnect_grace,
                                  .goodbye = options_.goodbye,
                                  .max_in_flight = options_.max_in_flight},
                                 env_, bounded);
    if (!session) return Located(address_, session.error());
    session_ = std::move(*session);
    driver_.emplace(channel_, *session_, options_, address_, env_);
    actors_.emplace(*session_, *driver_, options_, env_);
    rpc::DataRequest request;
    request.mutable_connection_info();
    const auto response = session_->Request(std::move(request), bounded);
    if (!response) return Located(address_, response.error());
    const rpc::ConnectionInfoResponse& told = response->connection_info();
    info_ = {.ray_version = told.ray_version(),
             .ray_commit = told.ray_commit(),
             .python_version = told.python_version(),
             .clients = told.num_clients(),
             .version_warning = VersionWarning(told.ray_version()).value_or("")};
    if (!info_.version_warning.empty()) log::Warning(info_.version_warning);
    return {};
  }

  [[nodiscard]] const RayConnectionInfo& ConnectionInfo() const override { return info_; }

  Result<RayClusterInfo> ClusterInfo(const CallContext& caller) override {
    const CallContext call = Bounded(caller);
    using Type = rpc::ClusterInfoType;
    SEEDCORE_ASSIGN_OR_RETURN(const auto total, Ask(Type::CLUSTER_RESOURCES, call));
    SEEDCORE_ASSIGN_OR_RETURN(const auto available, Ask(Type::AVAILABLE_RESOURCES, call));
    SEEDCORE_ASSIGN_OR_RETURN(const auto nodes_reply, Ask(Type::NODES, call));
    SEEDCORE_ASSIGN_OR_RETURN(const auto dashboard_reply, Ask(Type::DASHBOARD_URL, call));
    SEEDCORE_ASSIGN_OR_RETURN(json::value nodes, ParseJson(nodes_reply.json()));
    SEEDCORE_ASSIGN_OR_RETURN(const json::value dashboard, ParseJson(dashboard_reply.json()));
    if (!nodes.is_array()) return Fail(ErrorCode::kUnavailable, "Ray's list of nodes is no JSON array");
    RayClusterInfo info;
    info.total = {total.resource_table().table().begin(), total.resource_table().table().end()};
    info.available = {available.resource_table().table().begin(), available.resource_table().table().end()};
    info.nodes = std::move(nodes.get_array());
    const auto* object = dashboard.if_object();
    const auto* url = object == nullptr ? nullptr : object->if_contains("dashboard_url");
    if (url != nullptr && url->is_string()) info.dashboard_url = url->get_string();
    return info;
  }

  Result<std::optional<std::string>> KvGet(const std::string& kv_namespace, const std::string& key,
                                           const CallContext& call) override {
    rpc::KVGetRequest request;
    request.set_key(key);
    request.set_namespace_(kv_namespace);
    SEEDCORE_ASSIGN_OR_RETURN(auto reply, driver_->Unary<rpc::KVGetResponse>("KVGet", request, true, Bounded(call)));
    if (!reply.has_value()) return std::nullopt;
    return std::move(*reply.mutable_value());
  }

  Result<bool> KvPut(const std::string& kv_namespace, const std::string& key, const std::string& value, bool overwrite,
                     const CallContext& call) override {
    if (value.size() > options_.max_argument_bytes) {
      return Fail(ErrorCode::kPayloadTooLarge,
                  fmt::format("a value of more than {} bytes", options_.max_argument_bytes));
    }
    rpc::KVPutRequest request;
    request.set_key(key);
    request.set_value(value);
    request.set_overwrite(overwrite);
    request.set_namespace_(kv_namespace);
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply,
                              driver_->Unary<rpc::KVPutResponse>("KVPut", request, overwrite, Bounded(call)));
    return reply.already_exists();
  }

  Result<bool> KvExists(const std::string& kv_namespace, const std::string& key, const CallContext& call) override {
    rpc::KVExistsRequest request;
    request.set_key(key);
    request.set_namespace_(kv_namespace);
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply,
                              driver_->Unary<rpc::KVExistsResponse>("KVExists", request, true, Bounded(call)));
    return reply.exists();
  }

  Result<std::vector<std::string>> KvList(const std::string& kv_namespace, const std::string& prefix,
                                          const CallContext& call) override {
    rpc::KVListRequest request;
    request.set_prefix(prefix);
    request.set_namespace_(kv_namespace);
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply,
                              driver_->Unary<rpc::KVListResponse>("KVList", request, true, Bounded(call)));
    std::vector<std::string> keys(reply.keys().begin(), reply.keys().end());
    std::ranges::sort(keys);
    return keys;
  }

  Result<int> KvDelete(const std::string& kv_namespace, const std::string& key, bool by_prefix,
                       const CallContext& call) override {
    rpc::KVDelRequest request;
    request.set_key(key);
    request.set_del_by_prefix(by_prefix);
    request.set_namespace_(kv_namespace);
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply,
                              driver_->Unary<rpc::KVDelResponse>("KVDel", request, false, Bounded(call)));
    return reply.deleted_num();
  }

  Result<std::vector<NamedActor>> ListNamedActors(bool all_namespaces, const CallContext& call) override {
    rpc::DataRequest request;
    // All are asked for in any case: only then does Ray tell the namespaces.
    request.mutable_list_named_actors()->set_all_namespaces(true);
    SEEDCORE_ASSIGN_OR_RETURN(const auto response, session_->Request(std::move(request), Bounded(call)));
    SEEDCORE_ASSIGN_OR_RETURN(const json::value listed, ParseJson(response.list_named_actors().actors_json()));
    std::vector<NamedActor> actors;
    if (!listed.is_array()) return Fail(ErrorCode::kUnavailable, "Ray's list of actors is no JSON array");
    for (const json::value& item : listed.get_array()) {
      const auto* object = item.if_object();
      const auto* name = object == nullptr ? nullptr : object->if_contains("name");
      const auto* space = object == nullptr ? nullptr : object->if_contains("namespace");
      if (name == nullptr || space == nullptr || !name->is_string() || !space->is_string()) continue;
      if (!all_namespaces && std::string_view(space->get_string()) != options_.ray_namespace) continue;
      actors.push_back({std::string(name->get_string()), std::string(space->get_string())});
    }
    std::ranges::sort(actors, {}, [](const NamedActor& actor) { return std::tie(actor.ray_namespace, actor.name); });
    return actors;
  }

  Result<PyValue> CallActor(const ActorCall& actor_call, const CallContext& call) override {
    return actors_->Call(actor_call, Bounded(call));
  }

  void Close() override {
    if (session_ != nullptr) session_->Close();
  }

 private:
  [[nodiscard]] CallContext Bounded(const CallContext& call) const {
    return call.deadline == Instant::max() ? call.Within(options_.request, env_) : call;
  }

  Result<rpc::ClusterInfoResponse> Ask(rpc::ClusterInfoType::TypeEnum type, const CallContext& call) {
    rpc::ClusterInfoRequest request;
    request.set_type(type);
    return driver_->Unary<rpc::ClusterInfoResponse>("ClusterInfo", request, true, call);
  }

  const RayClientOptions options_;
  const std::string address_;
  Env& env_;
  GrpcChannel channel_;
  std::unique_ptr<Session> session_;  // after the channel it uses
  std::optional<DriverCalls> driver_;
  std::optional<ActorCalls> actors_;
  RayConnectionInfo info_;
};

}  // namespace

Result<std::unique_ptr<RayClient>> ConnectRayClient(const RayClientOptions& options, Env& env,
                                                    const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(std::string address, ClientAddress(options.address));
  auto client = std::make_unique<Client>(options, std::move(address), env);
  SEEDCORE_RETURN_IF_ERROR(client->Connect(call));
  return client;
}

}  // namespace seedcore::ray
