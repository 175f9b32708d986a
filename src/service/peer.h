#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/trace.h"
#include "net/client.h"
#include "service/operation.h"

namespace seedcore::service {

/// Sends one HTTP request to the process that hosts a service; bound by `app` to a net::Client with its retries, pool
/// and breaker. Blocks until the call's deadline at most. Whatever status the service answers with is a Response; an
/// Error means that it could not be asked.
using Transport = std::function<Result<net::Response>(net::Method method, const std::string& path, std::string body,
                                                      const CallContext& call)>;

/// Where finished calls are noted, by task.
struct CallRecorder {
  Env* env = nullptr;
  SpanStore* spans = nullptr;
};

/// A service as its callers know it: the object itself in the same process, or the same operations over HTTP. Which of
/// the two is decided once, by `app`. Copies share the binding, so that services which call each other can be
/// constructed in any order. Bind before the first call; then any thread.
template <class Service>
class Peer {
 public:
  explicit Peer(CallRecorder recorder = {}) : shared_(std::make_shared<Shared>()) { shared_->recorder = recorder; }

  void BindLocal(Service& service) const { shared_->local = &service; }
  void BindRemote(OperationTable<Service> table, Transport transport) const {
    shared_->table = std::move(table);
    shared_->transport = std::move(transport);
  }
  [[nodiscard]] bool IsBound() const { return shared_->local != nullptr || shared_->transport != nullptr; }

  /// `peer.Call<&MlService::ScoreDrift>(request, call)`.
  template <auto Member, class Request>
  auto Call(const Request& request, const CallContext& call) const
      -> Result<typename operation_internal::MethodTraits<decltype(Member)>::Response> {
    using Traits = operation_internal::MethodTraits<decltype(Member)>;
    static_assert(std::is_same_v<typename Traits::Service, Service> &&
                  std::is_same_v<typename Traits::Request, Request>);
    const bool recorded = shared_->recorder.spans != nullptr && !call.task_id.empty();
    if (!recorded) return Dispatch<Member>(request, call);

    Env& env = *shared_->recorder.env;
    CallContext traced = call;
    traced.trace = ChildOf(call.trace, env);
    const Instant start = env.Now();
    Span span{
        .name = std::string(binding::TypeName<Service>()) + "." + std::string(operation_internal::MemberName<Member>()),
        .trace_id = traced.trace.trace_id,
        .span_id = traced.trace.parent_span_id,
        .parent_span_id = call.trace.parent_span_id,
        .start = env.WallNow()};
    auto result = Dispatch<Member>(request, traced);
    span.duration = std::chrono::duration_cast<std::chrono::microseconds>(env.Now() - start);
    if (!result) span.error = ToString(result.error());
    shared_->recorder.spans->Add(call.task_id, std::move(span));
    return result;
  }

 private:
  struct Shared {
    Service* local = nullptr;
    OperationTable<Service> table;
    Transport transport;
    CallRecorder recorder;
  };

  template <auto Member, class Request>
  auto Dispatch(const Request& request, const CallContext& call) const
      -> Result<typename operation_internal::MethodTraits<decltype(Member)>::Response> {
    using Response = typename operation_internal::MethodTraits<decltype(Member)>::Response;
    if (shared_->local != nullptr) return (shared_->local->*Member)(request, call);
    if (!shared_->transport) {
      return Fail(ErrorCode::kUnavailable, std::string(binding::TypeName<Service>()) + " is not connected");
    }
    for (const Operation<Service>& operation : shared_->table.operations) {
      if (operation.info.key != &operation_internal::kKey<Member>) continue;
      SEEDCORE_ASSIGN_OR_RETURN(const RemoteRequest remote, MakeRemoteRequest(operation.info, ToJsonText(request)));
      SEEDCORE_ASSIGN_OR_RETURN(
          const net::Response reply,
          shared_->transport(operation.info.method, shared_->table.prefix + remote.path, remote.body, call));
      if (reply.status < 400) return FromJsonText<Response>(reply.body);
      // A response may carry its own error status (a health report, a task that failed), as it does in place.
      if constexpr (requires(const Response& response) { response.HttpStatus(); }) {
        if (auto response = FromJsonText<Response>(reply.body)) return response;
      }
      return std::unexpected(net::DecodeError(reply));
    }
    return Fail(ErrorCode::kInternal,
                "no operation is declared for " + std::string(operation_internal::MemberName<Member>()));
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace seedcore::service
