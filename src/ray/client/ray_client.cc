#include "ray/client/ray_client.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "ray/client/actor_directory.h"
#include "ray/client/pickle_reader.h"
#include "ray/client/pickle_writer.h"
#include "ray/client/probe.h"
#include "ray/client/remote_error.h"
#include "ray/client/session.h"
#include "ray/version.h"

namespace seedcore::ray {
namespace {

/// A blocked GetObject holds one of the server's threads, so that waiting is cut into slices, as Ray's own client does.
constexpr std::chrono::milliseconds kGetSlice{2'000};
constexpr std::chrono::milliseconds kMinGetSlice{1};
constexpr std::size_t kSmallResult = 16 * 1024;
/// Room for what a broken stream and its thread need to notice each other.
constexpr std::chrono::milliseconds kRepeatPause{100};

std::string Method(std::string_view name) { return fmt::format("/ray.rpc.RayletDriver/{}", name); }

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
    if (!session) return Located(session.error());
    session_ = std::move(*session);
    rpc::DataRequest request;
    request.mutable_connection_info();
    const auto response = session_->Request(std::move(request), bounded);
    if (!response) return Located(response.error());
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
    SEEDCORE_ASSIGN_OR_RETURN(auto reply, Unary<rpc::KVGetResponse>("KVGet", request, true, Bounded(call)));
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
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply, Unary<rpc::KVPutResponse>("KVPut", request, overwrite, Bounded(call)));
    return reply.already_exists();
  }

  Result<bool> KvExists(const std::string& kv_namespace, const std::string& key, const CallContext& call) override {
    rpc::KVExistsRequest request;
    request.set_key(key);
    request.set_namespace_(kv_namespace);
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply, Unary<rpc::KVExistsResponse>("KVExists", request, true, Bounded(call)));
    return reply.exists();
  }

  Result<std::vector<std::string>> KvList(const std::string& kv_namespace, const std::string& prefix,
                                          const CallContext& call) override {
    rpc::KVListRequest request;
    request.set_prefix(prefix);
    request.set_namespace_(kv_namespace);
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply, Unary<rpc::KVListResponse>("KVList", request, true, Bounded(call)));
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
    SEEDCORE_ASSIGN_OR_RETURN(const auto reply, Unary<rpc::KVDelResponse>("KVDel", request, false, Bounded(call)));
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

  Result<PyValue> CallActor(const ActorCall& actor_call, const CallContext& caller) override {
    const CallContext call = Bounded(caller);
    const std::string& space = actor_call.ray_namespace.empty() ? options_.ray_namespace : actor_call.ray_namespace;
    SEEDCORE_ASSIGN_OR_RETURN(
        std::string arguments,
        WritePickle(PyValue{PyValue::Tuple{{PyValue{PyValue::Tuple{actor_call.args}}, PyValue{actor_call.kwargs}}}},
                    options_.max_argument_bytes));
    SEEDCORE_ASSIGN_OR_RETURN(const auto ticket, Schedule(space, actor_call, std::move(arguments), call));
    if (ticket.return_ids_size() != 1) {
      session_->Release({ticket.return_ids().begin(), ticket.return_ids().end()});
      return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' has {} results; methods with one are supported",
                                                           actor_call.method, ticket.return_ids_size()));
    }
    auto result = ResultOf(ticket.return_ids(0), call);
    // The next call looks the name up again: the actor may be replaced by then.
    if (!result && result.error().code == ErrorCode::kUnavailable) actors_.Forget(space, actor_call.actor);
    return result;
  }

  void Close() override {
    if (session_ != nullptr) session_->Close();
  }

 private:
  [[nodiscard]] CallContext Bounded(const CallContext& call) const {
    return call.deadline == Instant::max() ? call.Within(options_.request, env_) : call;
  }

  [[nodiscard]] std::unexpected<Error> Located(const Error& error) const {
    return Fail(error.code, fmt::format("ray://{}: {}", address_, error.message));
  }

  Result<rpc::ClusterInfoResponse> Ask(rpc::ClusterInfoType::TypeEnum type, const CallContext& call) {
    rpc::ClusterInfoRequest request;
    request.set_type(type);
    return Unary<rpc::ClusterInfoResponse>("ClusterInfo", request, true, call);
  }

  template <class Reply, class Request>
  Result<Reply> Unary(std::string_view method, const Request& request, bool is_repeatable, const CallContext& call) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto replies, CallDriver(method, request.SerializeAsString(), is_repeatable, call));
    Reply reply;
    if (replies.size() != 1 || !reply.ParseFromString(replies.front())) {
      return Fail(ErrorCode::kUnavailable, fmt::format("Ray's answer to {} cannot be read", method));
    }
    return reply;
  }

  /// A call beside the session's stream, but under its name. Not made while the session is down: a server that does not
  /// know the client would answer some of them out of another namespace.
  Result<std::vector<std::string>> CallDriver(std::string_view method, const std::string& request, bool is_repeatable,
                                              const CallContext& call) {
    while (true) {
      SEEDCORE_RETURN_IF_ERROR(session_->AwaitConnected(call));
      auto replies = channel_.Call(Method(method), request, {{"client_id", session_->client_id()}},
                                   options_.results.max_bytes + options_.max_argument_bytes, call);
      // The proxy fails like this, after 30 s, when the process it started for the session has died.
      if (!replies && replies.error().code == ErrorCode::kConflict) {
        return Located(
            {ErrorCode::kUnavailable, "the session's server process is gone: " + replies.error().message, ""});
      }
      if (replies || replies.error().code != ErrorCode::kUnavailable) return replies;
      if (!is_repeatable || options_.reconnect_grace.count() == 0) return Located(replies.error());
      env_.SleepFor(kRepeatPause, call.stop);
      if (!call.Check(env_)) {
        return Located({ErrorCode::kUnavailable, "the connection to Ray broke: " + replies.error().message, ""});
      }
    }
  }

  Result<std::string> FindActor(const std::string& space, const std::string& name, const CallContext& call) {
    if (auto known = actors_.Find(space, name)) return std::move(*known);
    static const std::string no_arguments("\x80\x02)}\x86.", 6);
    rpc::ClientTask task;
    task.set_type(rpc::ClientTask::NAMED_ACTOR);
    task.set_name(name);
    task.set_namespace_(space);
    task.set_data(no_arguments);
    SEEDCORE_ASSIGN_OR_RETURN(const auto ticket, session_->RunTask(std::move(task), call));
    if (ticket.valid() && ticket.return_ids_size() == 1) {
      session_->Release(actors_.Remember(space, name, ticket.return_ids(0)));
      return ticket.return_ids(0);
    }
    const auto exception = ReadException(ticket.error());
    if (exception && exception->type == "ValueError") {
      return Fail(ErrorCode::kNotFound, fmt::format("no actor '{}' in namespace '{}'", name, space));
    }
    return std::unexpected(ErrorOfException(ticket.error()));
  }

  Result<rpc::ClientTaskTicket> Schedule(const std::string& space, const ActorCall& actor_call, std::string arguments,
                                         const CallContext& call) {
    // An id out of the directory may have been released since; such a call was not made, and is made once more.
    for (bool is_second_try = false;; is_second_try = true) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::string actor, FindActor(space, actor_call.actor, call));
      rpc::ClientTask task;
      task.set_type(rpc::ClientTask::METHOD);
      task.set_name(actor_call.method);
      task.set_payload_id(actor);
      task.set_data(arguments);
      SEEDCORE_ASSIGN_OR_RETURN(auto ticket, session_->RunTask(std::move(task), call));
      if (ticket.valid()) return ticket;
      if (is_second_try || !ticket.error().contains("doesn't have a handle")) {
        return std::unexpected(NotScheduled(ticket.error(), actor_call));
      }
      actors_.Forget(space, actor_call.actor);
    }
  }

  static Error NotScheduled(const std::string& pickle, const ActorCall& call) {
    const auto exception = ReadException(pickle);
    if (exception && exception->type == "AttributeError") {
      return {ErrorCode::kNotFound, fmt::format("actor '{}' has no method '{}'", call.actor, call.method), ""};
    }
    return ErrorOfException(pickle);
  }

  /// Along the session's stream, which costs half of a call beside it.
  Result<PyValue> ResultOf(const std::string& id, const CallContext& call) {
    const auto pickle = session_->Get(id, options_.results.max_bytes, call);
    if (pickle) {
      if (auto value = ReadPickle(*pickle, options_.results)) {
        if (pickle->size() <= kSmallResult) {
          session_->ReleaseSoon(id);
        } else {
          session_->Release({id});
        }
        return value;
      }
    }
    // An exception, a result that is no plain data, or no result: only the other way tells which.
    Result<PyValue> result = pickle ? GetObject(id, call) : std::unexpected(pickle.error());
    session_->Release({id});
    return result;
  }

  Result<PyValue> GetObject(const std::string& id, const CallContext& call) {
    while (true) {
      SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(call.deadline - env_.Now());
      const auto slice = std::clamp(left, kMinGetSlice, kGetSlice);
      rpc::GetRequest request;
      request.add_ids(id);
      request.set_timeout(std::chrono::duration<float>(slice).count());
      SEEDCORE_ASSIGN_OR_RETURN(const auto parts, CallDriver("GetObject", request.SerializeAsString(), true, call));
      auto value = Assemble(parts);
      if (value) return value;
      if (value.error().code != ErrorCode::kDeadlineExceeded) return value;
      // The slice is over, not the call.
    }
  }

  Result<PyValue> Assemble(const std::vector<std::string>& parts) const {
    std::string pickle;
    for (const std::string& part : parts) {
      rpc::GetResponse response;
      if (!response.ParseFromString(part)) return Fail(ErrorCode::kUnavailable, "Ray's result cannot be read");
      if (!response.valid()) return std::unexpected(ErrorOfException(response.error()));
      pickle += response.data();
    }
    // One value per id that was asked for.
    SEEDCORE_ASSIGN_OR_RETURN(PyValue values, ReadPickle(pickle, options_.results));
    auto* list = std::get_if<PyValue::List>(&values.data);
    if (list == nullptr || list->size() != 1) return Fail(ErrorCode::kUnavailable, "Ray's result is no list of one");
    return std::move(list->front());
  }

  const RayClientOptions options_;
  const std::string address_;
  Env& env_;
  GrpcChannel channel_;
  std::unique_ptr<Session> session_;  // after the channel it uses
  RayConnectionInfo info_;
  ActorDirectory actors_;
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
