// A session's stream: what comes in on it, how it breaks, and how it comes back.
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "ray/client/session.h"

namespace seedcore::ray {
namespace {

constexpr const char* kDatapath = "/ray.rpc.RayletDataStreamer/Datapath";
/// Ray's own client acknowledges as often.
constexpr int kAcknowledgeEvery = 32;

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

}  // namespace seedcore::ray
