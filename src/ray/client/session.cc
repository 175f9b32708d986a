#include "ray/client/session.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"

namespace seedcore::ray {
namespace {

constexpr const char* kDatapath = "/ray.rpc.RayletDataStreamer/Datapath";
/// Ray cuts arguments into parts of this size; its servers take them one after the other.
constexpr std::size_t kChunkBytes = 5 * 1024 * 1024;
/// Ray's own client acknowledges as often.
constexpr int kAcknowledgeEvery = 32;
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

/// Answers of the server's own logic. Everything else may be the connection's fault, and is worth another try.
bool IsFinal(ErrorCode code) {
  switch (code) {
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kMethodNotAllowed: return true;
    default: return false;
  }
}

std::string Describe(const Error& error) {
  return error.message.empty() ? std::string(ToString(error.code)) : error.message;
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
    const bool try_again = started.error().code == ErrorCode::kUnavailable && attempt < options.init_attempts;
    if (!try_again) return std::unexpected(started.error());
    log::Info("the Ray Client server did not start a session; trying again",
              {{"attempt", attempt}, {"reason", started.error().message}});
    env.SleepFor(options.init_pause, call.stop);
    SEEDCORE_RETURN_IF_ERROR(call.Check(env));
  }
}

Result<void> Session::Start(const CallContext& call) {
  {
    const std::lock_guard lock(mutex_);
    OpenStream(false);
  }
  rpc::DataRequest request;
  request.mutable_init()->set_ray_init_kwargs(WriteJson(json::object{{"namespace", options_.ray_namespace}}));
  request.mutable_init()->set_reconnect_grace_period(static_cast<std::int32_t>(options_.reconnect_grace.count()));
  SEEDCORE_ASSIGN_OR_RETURN(const rpc::DataResponse response, Request(std::move(request), call));
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

// Under the lock.
void Session::OpenStream(bool is_reconnect) {
  const int generation = ++generation_;
  stream_ended_ = false;
  // A closing session waits for the end of its stream, and an older stream's words are told apart by the generation.
  stream_ =
      channel_.Open(kDatapath, {{"client_id", client_id_}, {"reconnecting", is_reconnect ? "True" : "False"}},
                    {.on_message = [this, generation](std::string_view message) { OnMessage(generation, message); },
                     .on_end = [this, generation](const Result<void>& status) { OnEnd(generation, status); }});
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

/// Whether that was the last part, or an error.
bool Session::TakePart(Pending& pending, const rpc::GetResponse& part) {
  if (!part.valid()) return true;
  if (pending.parts.size() + part.data().size() > pending.max_bytes) {
    pending.reply = Fail(ErrorCode::kPayloadTooLarge, fmt::format("a result of more than {} bytes", pending.max_bytes));
    return true;
  }
  pending.parts += part.data();
  return part.chunk_id() + 1 >= part.total_chunks();
}

void Session::OnMessage(int generation, std::string_view message) {
  rpc::DataResponse response;
  const bool is_readable = response.ParseFromArray(message.data(), static_cast<int>(message.size()));
  const std::lock_guard lock(mutex_);
  if (generation != generation_ || state_ == State::kDead) return;
  heard_ = env_.Now();
  if (!is_readable) return Die({ErrorCode::kUnavailable, "Ray sent a message that cannot be read", ""});
  if (state_ == State::kBroken) {
    // The first words on a new stream: the server knows the session.
    state_ = State::kConnected;
    log::Info("the session with Ray is back", {{"client_id", client_id_}});
    changed_.notify_all();
  }
  const auto found = pending_.find(response.req_id());
  if (found == pending_.end()) return;
  const std::shared_ptr<Pending> pending = found->second;
  if (pending->is_get && !TakePart(*pending, response.get())) return;
  pending_.erase(found);
  Acknowledge(response.req_id());
  if (pending->is_abandoned) {
    const auto& ids = response.task_ticket().return_ids();
    if (!ids.empty()) SendRelease({ids.begin(), ids.end()});
  }
  // What was too large is an error already.
  if (pending->reply) {
    if (pending->is_get && response.get().valid()) response.mutable_get()->set_data(std::move(pending->parts));
    pending->reply = std::move(response);
  }
  pending->is_done = true;
  pending->replied.notify_all();
  changed_.notify_all();
}

// Under the lock. What the server keeps until it is acknowledged it answers in order, and before any later `get` whose
// result is there: so one reply acknowledges all before it. A `get` itself is not kept; it is asked again.
void Session::Acknowledge(std::int32_t req_id) {
  if (options_.reconnect_grace.count() == 0 || ++unacknowledged_ < kAcknowledgeEvery) return;
  unacknowledged_ = 0;
  rpc::DataRequest request;
  request.mutable_acknowledge()->set_req_id(req_id);
  stream_->Send(request.SerializeAsString());
}

void Session::OnEnd(int generation, const Result<void>& status) {
  const std::lock_guard lock(mutex_);
  if (generation != generation_) return;
  stream_ended_ = true;
  changed_.notify_all();
  if (state_ == State::kClosed || state_ == State::kDead) return;
  Error reason = status ? Error{ErrorCode::kUnavailable, "the server ended the stream", ""} : status.error();
  const bool may_return = is_started_ && options_.reconnect_grace.count() > 0 && !IsFinal(reason.code);
  const ErrorCode code = reason.code == ErrorCode::kCancelled ? ErrorCode::kUnavailable : reason.code;
  if (!may_return) {
    return Die({is_started_ ? ErrorCode::kUnavailable : code, "the session with Ray ended: " + Describe(reason), ""});
  }
  if (state_ == State::kConnected) {
    broken_since_ = env_.Now();
    log::Warning("the connection to Ray broke", {{"client_id", client_id_}, {"reason", Describe(reason)}});
  }
  state_ = State::kBroken;
  reason_ = {ErrorCode::kUnavailable, "the connection to Ray broke: " + Describe(reason), ""};
}

// Under the lock.
void Session::Die(Error reason) {
  state_ = State::kDead;
  reason_ = std::move(reason);
  for (const auto& [id, pending] : pending_) {
    pending->reply = std::unexpected(reason_);
    pending->is_done = true;
    pending->replied.notify_all();
  }
  pending_.clear();
  changed_.notify_all();
}

void Session::ReconnectLoop(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto is_needed = [this] { return state_ == State::kBroken && stream_ended_; };
    if (!env_.WaitUntil(lock, changed_, Instant::max(), stop, is_needed)) return;
    if (env_.Now() - broken_since_ >= options_.reconnect_grace) {
      Die({ErrorCode::kUnavailable,
           fmt::format("{}; it did not come back within {} s", reason_.message, options_.reconnect_grace.count()), ""});
      continue;
    }
    lock.unlock();
    if (!env_.SleepFor(options_.reconnect_pause, stop)) return;
    lock.lock();
    if (state_ != State::kBroken) continue;
    OpenStream(true);
    for (const auto& [id, pending] : pending_) {
      pending->parts.clear();
      for (const std::string& message : pending->messages) stream_->Send(message);
    }
    // Something to answer, so that it shows whether the server still knows the session.
    rpc::DataRequest probe;
    probe.set_req_id(++last_req_id_);
    probe.mutable_connection_info();
    stream_->Send(probe.SerializeAsString());
    const Instant give_up = broken_since_ + options_.reconnect_grace;
    const auto is_decided = [this] { return state_ != State::kBroken || stream_ended_; };
    if (!env_.WaitUntil(lock, changed_, give_up, stop, is_decided) && !stop.stop_requested()) stream_->Cancel();
  }
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
