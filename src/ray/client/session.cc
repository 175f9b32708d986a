#include "ray/client/session.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"

namespace seedcore::ray {
namespace {

/// Ray cuts arguments into parts of this size; its servers take them one after the other.
constexpr std::size_t kChunkBytes = 5 * 1024 * 1024;
/// Small objects that the server may keep longer than they are needed.
constexpr std::size_t kReleasedTogether = 32;

/// What an exception says, out of a traceback: its last line.
std::string LastLine(const std::string& traceback) {
  std::string_view text = traceback;
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

/// The proxy on the head node forks a process per client; the fork can crash, or not come up in time.
bool IsBotchedStart(std::string_view message) {
  return message.contains("Starting Ray client server failed") || message.contains("Proxy failed to Connect");
}

/// The last of so many failures to start, in one line.
std::unexpected<Error> NotStarted(const Error& last, int attempts) {
  return Fail(last.code,
              fmt::format("Ray's proxy started no session in {} {}, the last time: {} (when its forks crash, "
                          "GRPC_ENABLE_FORK_SUPPORT=0 for `ray start` helps)",
                          attempts, attempts == 1 ? "try" : "tries", last.message));
}

}  // namespace

Session::Session(GrpcChannel& channel, const SessionOptions& options, Env& env)
    : channel_(channel), options_(options), env_(env), client_id_(env.NewId()) {
  std::erase(client_id_, '-');
}

Session::~Session() { Close(); }

Result<std::unique_ptr<Session>> Session::Open(GrpcChannel& channel, const SessionOptions& options, Env& env,
                                               const CallContext& call) {
  for (int attempt = 1;; ++attempt) {
    std::unique_ptr<Session> session(new Session(channel, options, env));
    const auto started = session->Start(call);
    if (started) return session;
    const Error& error = started.error();
    const bool is_botched = error.code == ErrorCode::kUnavailable;
    if (!is_botched && error.code != ErrorCode::kDeadlineExceeded) return std::unexpected(error);
    const bool has_time = env.Now() + options.init_pause < call.deadline;
    if (!is_botched || attempt >= options.init_attempts || !has_time) return NotStarted(error, attempt);
    log::Info("the Ray Client server did not start a session; trying again",
              {{"attempt", attempt}, {"reason", error.message}});
    session.reset();  // the proxy need not go on with it
    if (!env.SleepFor(options.init_pause, call.stop)) return std::unexpected(call.Check(env).error());
  }
}

Result<rpc::DataResponse> Session::RequestInit(const CallContext& call) {
  rpc::DataRequest request;
  request.mutable_init()->set_ray_init_kwargs(WriteJson(json::object{{"namespace", options_.ray_namespace}}));
  request.mutable_init()->set_reconnect_grace_period(static_cast<std::int32_t>(options_.reconnect_grace.count()));
  const Instant asked = env_.Now();
  auto response = Request(std::move(request), call.Within(options_.init_answer, env_));
  if (response || response.error().code != ErrorCode::kDeadlineExceeded) return response;
  // Another try only makes sense while there is time for it.
  const ErrorCode code = call.Check(env_) ? ErrorCode::kUnavailable : ErrorCode::kDeadlineExceeded;
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(env_.Now() - asked);
  return Fail(code, fmt::format("no answer within {} ms", waited.count()));
}

Result<void> Session::Start(const CallContext& call) {
  {
    const std::lock_guard lock(mutex_);
    OpenStream(false);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const rpc::DataResponse response, RequestInit(call));
  if (!response.init().ok()) {
    const std::string& message = response.init().msg();
    return Fail(IsBotchedStart(message) ? ErrorCode::kUnavailable : ErrorCode::kInvalidArgument,
                "Ray refused the session: " + LastLine(message));
  }
  const std::lock_guard lock(mutex_);
  is_started_ = true;
  watcher_ = std::jthread([this](const std::stop_token& stop) { WatchLoop(stop); });
  if (options_.reconnect_grace.count() > 0) {
    reconnector_ = std::jthread([this](const std::stop_token& stop) { ReconnectLoop(stop); });
  }
  return {};
}

Result<rpc::DataResponse> Session::Request(rpc::DataRequest request, const CallContext& call) {
  std::vector<rpc::DataRequest> parts;
  parts.push_back(std::move(request));
  return Exchange(std::move(parts), call);
}

Result<rpc::ClientTaskTicket> Session::RunTask(rpc::ClientTask task, const CallContext& call) {
  const std::string data = std::move(*task.mutable_data());
  const std::size_t chunks = std::max<std::size_t>(1, (data.size() + kChunkBytes - 1) / kChunkBytes);
  task.set_client_id(client_id_);
  task.set_total_chunks(static_cast<std::int32_t>(chunks));
  std::vector<rpc::DataRequest> parts;
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    rpc::ClientTask& part = *parts.emplace_back().mutable_task();
    part = task;
    part.set_chunk_id(static_cast<std::int32_t>(chunk));
    part.set_data(data.substr(chunk * kChunkBytes, kChunkBytes));
  }
  SEEDCORE_ASSIGN_OR_RETURN(const rpc::DataResponse response, Exchange(std::move(parts), call));
  return response.task_ticket();
}

Result<std::string> Session::Get(const std::string& object_id, std::size_t max_bytes, const CallContext& call) {
  rpc::DataRequest request;
  request.mutable_get()->add_ids(object_id);
  request.mutable_get()->set_asynchronous(true);
  const auto pending = std::make_shared<Pending>();
  pending->is_get = true;
  pending->max_bytes = max_bytes;
  std::vector<rpc::DataRequest> parts;
  parts.push_back(std::move(request));
  std::unique_lock lock(mutex_);
  // No bound on these: each has a thread of the caller's that waits for it.
  SEEDCORE_ASSIGN_OR_RETURN(const std::int32_t req_id, Send(std::move(parts), pending));
  SEEDCORE_ASSIGN_OR_RETURN(auto response, Await(lock, req_id, pending, call));
  return std::move(*response.mutable_get()->mutable_data());
}

Result<rpc::DataResponse> Session::Exchange(std::vector<rpc::DataRequest> parts, const CallContext& call) {
  std::unique_lock lock(mutex_);
  const auto may_send = [this] {
    return state_ == State::kDead || state_ == State::kClosed || pending_.size() < options_.max_in_flight;
  };
  if (!env_.WaitUntil(lock, changed_, call.deadline, call.stop, may_send)) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
    return Fail(ErrorCode::kResourceExhausted, "too many requests to Ray are in flight");
  }
  const auto pending = std::make_shared<Pending>();
  SEEDCORE_ASSIGN_OR_RETURN(const std::int32_t req_id, Send(std::move(parts), pending));
  return Await(lock, req_id, pending, call);
}

// Under the lock.
Result<std::int32_t> Session::Send(std::vector<rpc::DataRequest> parts, const std::shared_ptr<Pending>& pending) {
  if (state_ == State::kDead) return std::unexpected(reason_);
  if (state_ == State::kClosed) return Fail(ErrorCode::kUnavailable, "the Ray Client is closed");
  const std::int32_t req_id = ++last_req_id_;
  for (rpc::DataRequest& part : parts) {
    part.set_req_id(req_id);
    pending->messages.push_back(part.SerializeAsString());
  }
  // Silence is only what follows a question.
  if (pending_.empty()) heard_ = env_.Now();
  pending_.emplace(req_id, pending);
  // While the stream is broken the message waits in `pending_`; reconnecting sends it. The parts of one request must
  // not be mixed with those of another, which the lock sees to.
  if (state_ == State::kConnected) {
    for (const std::string& message : pending->messages) stream_->Send(message);
  }
  return req_id;
}

// Under the lock, which is released on the way.
Result<rpc::DataResponse> Session::Await(std::unique_lock<std::mutex>& lock, std::int32_t req_id,
                                         const std::shared_ptr<Pending>& pending, const CallContext& call) {
  if (env_.WaitUntil(lock, pending->replied, call.deadline, call.stop, [&] { return pending->is_done; })) {
    return std::move(pending->reply);
  }
  pending->is_abandoned = true;
  if (pending->is_get) {
    // Its result may never come, and nothing needs to be released when it does.
    pending_.erase(req_id);
    changed_.notify_all();
  }
  if (state_ == State::kBroken) return std::unexpected(reason_);
  lock.unlock();
  SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
  return Fail(ErrorCode::kDeadlineExceeded, "the deadline of the call has passed");
}

void Session::Release(std::vector<std::string> ids) {
  if (ids.empty()) return;
  const std::lock_guard lock(mutex_);
  SendRelease(std::move(ids));
}

void Session::ReleaseSoon(std::string id) {
  const std::lock_guard lock(mutex_);
  to_release_.push_back(std::move(id));
  if (to_release_.size() >= kReleasedTogether) SendRelease(std::exchange(to_release_, {}));
}

// Under the lock. Lost when the stream is broken: what is not released then goes with the session.
void Session::SendRelease(std::vector<std::string> ids) {
  if (state_ != State::kConnected) return;
  rpc::DataRequest request;
  request.set_req_id(++last_req_id_);
  for (std::string& id : ids) request.mutable_release()->add_ids(std::move(id));
  stream_->Send(request.SerializeAsString());
}

Result<void> Session::AwaitConnected(const CallContext& call) {
  std::unique_lock lock(mutex_);
  const bool is_decided =
      env_.WaitUntil(lock, changed_, call.deadline, call.stop, [this] { return state_ != State::kBroken; });
  if (state_ == State::kConnected) return {};
  if (state_ == State::kClosed) return Fail(ErrorCode::kUnavailable, "the Ray Client is closed");
  if (!is_decided && call.stop.stop_requested()) return call.Check(env_);
  return std::unexpected(reason_);
}

void Session::Close() {
  reconnector_.request_stop();
  watcher_.request_stop();
  const CallContext call = CallContext{}.Within(options_.goodbye, env_);
  bool is_polite = false;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kClosed) return;
    is_polite = state_ == State::kConnected && is_started_;
  }
  if (is_polite) {
    rpc::DataRequest request;
    request.mutable_connection_cleanup();
    if (const auto done = Request(std::move(request), call); !done) {
      log::Info("Ray did not answer the goodbye", {{"reason", done.error().message}});
      is_polite = false;
    }
  }
  std::unique_lock lock(mutex_);
  Die({ErrorCode::kUnavailable, "the Ray Client is closed", ""});
  state_ = State::kClosed;
  const auto has_ended = [this] { return stream_ended_; };
  if (stream_ != nullptr) {
    if (is_polite) stream_->HalfClose();
    if (!is_polite || !env_.WaitUntil(lock, changed_, call.deadline, {}, has_ended)) stream_->Cancel();
    // A cancelled stream ends by itself; its last event refers to this session.
    env_.WaitUntil(lock, changed_, Instant::max(), {}, has_ended);
  }
  lock.unlock();
  if (reconnector_.joinable()) reconnector_.join();
  if (watcher_.joinable()) watcher_.join();
}

}  // namespace seedcore::ray
