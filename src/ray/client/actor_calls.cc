#include "ray/client/actor_calls.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "ray/client/pickle_reader.h"
#include "ray/client/pickle_writer.h"
#include "ray/client/remote_error.h"

namespace seedcore::ray {
namespace {

/// A blocked GetObject holds one of the server's threads, so that waiting is cut into slices, as Ray's own client does.
constexpr std::chrono::milliseconds kGetSlice{2'000};
constexpr std::chrono::milliseconds kMinGetSlice{1};
constexpr std::size_t kSmallResult = 16 * 1024;

Error NotScheduled(const std::string& pickle, const ActorCall& call) {
  const auto exception = ReadException(pickle);
  if (exception && exception->type == "AttributeError") {
    return {ErrorCode::kNotFound, fmt::format("actor '{}' has no method '{}'", call.actor, call.method), ""};
  }
  return ErrorOfException(pickle);
}

}  // namespace

Result<PyValue> ActorCalls::Call(const ActorCall& actor_call, const CallContext& call) {
  const std::string& space = actor_call.ray_namespace.empty() ? options_.ray_namespace : actor_call.ray_namespace;
  SEEDCORE_ASSIGN_OR_RETURN(
      std::string arguments,
      WritePickle(PyValue{PyValue::Tuple{{PyValue{PyValue::Tuple{actor_call.args}}, PyValue{actor_call.kwargs}}}},
                  options_.max_argument_bytes));
  SEEDCORE_ASSIGN_OR_RETURN(const auto ticket, Schedule(space, actor_call, std::move(arguments), call));
  if (ticket.return_ids_size() != 1) {
    session_.Release({ticket.return_ids().begin(), ticket.return_ids().end()});
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' has {} results; methods with one are supported",
                                                         actor_call.method, ticket.return_ids_size()));
  }
  auto result = ResultOf(ticket.return_ids(0), call);
  // The next call looks the name up again: the actor may be replaced by then.
  if (!result && result.error().code == ErrorCode::kUnavailable) actors_.Forget(space, actor_call.actor);
  return result;
}

Result<std::string> ActorCalls::FindActor(const std::string& space, const std::string& name, const CallContext& call) {
  if (auto known = actors_.Find(space, name)) return std::move(*known);
  static const std::string no_arguments("\x80\x02)}\x86.", 6);
  rpc::ClientTask task;
  task.set_type(rpc::ClientTask::NAMED_ACTOR);
  task.set_name(name);
  task.set_namespace_(space);
  task.set_data(no_arguments);
  SEEDCORE_ASSIGN_OR_RETURN(const auto ticket, session_.RunTask(std::move(task), call));
  if (ticket.valid() && ticket.return_ids_size() == 1) {
    session_.Release(actors_.Remember(space, name, ticket.return_ids(0)));
    return ticket.return_ids(0);
  }
  const auto exception = ReadException(ticket.error());
  if (exception && exception->type == "ValueError") {
    return Fail(ErrorCode::kNotFound, fmt::format("no actor '{}' in namespace '{}'", name, space));
  }
  return std::unexpected(ErrorOfException(ticket.error()));
}

Result<rpc::ClientTaskTicket> ActorCalls::Schedule(const std::string& space, const ActorCall& actor_call,
                                                   std::string arguments, const CallContext& call) {
  // An id out of the directory may have been released since; such a call was not made, and is made once more.
  for (bool is_second_try = false;; is_second_try = true) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string actor, FindActor(space, actor_call.actor, call));
    rpc::ClientTask task;
    task.set_type(rpc::ClientTask::METHOD);
    task.set_name(actor_call.method);
    task.set_payload_id(actor);
    task.set_data(arguments);
    SEEDCORE_ASSIGN_OR_RETURN(auto ticket, session_.RunTask(std::move(task), call));
    if (ticket.valid()) return ticket;
    if (is_second_try || !ticket.error().contains("doesn't have a handle")) {
      return std::unexpected(NotScheduled(ticket.error(), actor_call));
    }
    actors_.Forget(space, actor_call.actor);
  }
}

/// Along the session's stream, which costs half of a call beside it.
Result<PyValue> ActorCalls::ResultOf(const std::string& id, const CallContext& call) {
  const auto pickle = session_.Get(id, options_.results.max_bytes, call);
  if (pickle) {
    if (auto value = ReadPickle(*pickle, options_.results)) {
      if (pickle->size() <= kSmallResult) {
        session_.ReleaseSoon(id);
      } else {
        session_.Release({id});
      }
      return value;
    }
  }
  // An exception, a result that is no plain data, or no result: only the other way tells which.
  Result<PyValue> result = pickle ? GetObject(id, call) : std::unexpected(pickle.error());
  session_.Release({id});
  return result;
}

Result<PyValue> ActorCalls::GetObject(const std::string& id, const CallContext& call) {
  while (true) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(call.deadline - env_.Now());
    const auto slice = std::clamp(left, kMinGetSlice, kGetSlice);
    rpc::GetRequest request;
    request.add_ids(id);
    request.set_timeout(std::chrono::duration<float>(slice).count());
    SEEDCORE_ASSIGN_OR_RETURN(const auto parts, driver_.Call("GetObject", request.SerializeAsString(), true, call));
    auto value = Assemble(parts);
    if (value) return value;
    if (value.error().code != ErrorCode::kDeadlineExceeded) return value;
    // The slice is over, not the call.
  }
}

Result<PyValue> ActorCalls::Assemble(const std::vector<std::string>& parts) const {
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

}  // namespace seedcore::ray
