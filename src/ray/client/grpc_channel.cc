#include "ray/client/grpc_channel.h"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <grpc/support/log.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <mutex>
#include <thread>
#include <unordered_set>

#include <fmt/format.h>

#include "base/log.h"

namespace seedcore::ray {
namespace {

/// How soon a broken connection is tried again.
constexpr int kFirstReconnectMs = 100;
constexpr int kLastReconnectMs = 1'000;
/// gRPC gives a connection attempt 20 s by default, which is longer than most of our deadlines.
constexpr int kConnectMs = 5'000;
constexpr int kKeepaliveMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;

/// gRPC writes its own trouble to standard error; ours is told in results. GRPC_VERBOSITY brings its lines back.
void QuietGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::getenv("GRPC_VERBOSITY") != nullptr) return;
    gpr_set_log_function([](gpr_log_func_args* args) { log::Debug("grpc", {{"message", args->message}}); });
  });
}

ErrorCode CodeOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED: return ErrorCode::kCancelled;
    case grpc::StatusCode::INVALID_ARGUMENT: return ErrorCode::kInvalidArgument;
    case grpc::StatusCode::DEADLINE_EXCEEDED: return ErrorCode::kDeadlineExceeded;
    case grpc::StatusCode::NOT_FOUND: return ErrorCode::kNotFound;
    case grpc::StatusCode::PERMISSION_DENIED: return ErrorCode::kPermissionDenied;
    case grpc::StatusCode::UNAUTHENTICATED: return ErrorCode::kUnauthenticated;
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return ErrorCode::kResourceExhausted;
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ABORTED: return ErrorCode::kConflict;
    case grpc::StatusCode::UNIMPLEMENTED: return ErrorCode::kMethodNotAllowed;
    // A peer that dies in the middle of a call shows as any of these.
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN: return ErrorCode::kUnavailable;
    default: return ErrorCode::kInternal;
  }
}

Result<void> ResultOf(const grpc::Status& status) {
  if (status.ok()) return {};
  return Fail(CodeOf(status.error_code()), status.error_message());
}

grpc::ByteBuffer ToBuffer(const std::string& message) {
  const grpc::Slice slice(message);
  return {&slice, 1};
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string message;
  if (!buffer.Dump(&slices).ok()) return message;
  message.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) message.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return message;
}

std::shared_ptr<grpc::Channel> MakeChannel(const GrpcChannelOptions& options) {
  QuietGrpc();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  arguments.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  // A network that swallows everything is noticed within the two together. Ray's servers allow it: they count no
  // strikes.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (options.tls) {
    credentials = grpc::SslCredentials({options.tls->ca, options.tls->key, options.tls->cert});
  }
  return grpc::CreateCustomChannel(options.address, credentials, arguments);
}

}  // namespace

/// Everything the streams share. Streams belong to it until their last event.
struct GrpcChannel::State {
  State(const GrpcChannelOptions& options)
      : token(options.token), channel(MakeChannel(options)), stub(channel), thread([this] { Drive(); }) {}

  void Drive();

  const std::string token;
  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  grpc::CompletionQueue queue;

  std::mutex mutex;  // guards what follows
  std::condition_variable_any none_left;
  std::unordered_set<Stream*> streams;

  std::jthread thread;
};

/// A state machine that the channel's thread drives: at most one read and one write are under way.
class GrpcChannel::Stream final : public GrpcStream, public std::enable_shared_from_this<Stream> {
 public:
  enum class Step { kStart, kRead, kWrite, kWritesDone, kFinish };
  struct Tag {
    Stream* stream;
    Step step;
  };

  Stream(State& state, const std::string& method, const GrpcMetadata& metadata, GrpcStreamEvents events)
      : state_(state), events_(std::move(events)) {
    for (const auto& [key, value] : metadata) context_.AddMetadata(key, value);
    if (!state.token.empty()) context_.AddMetadata("authorization", "Bearer " + state.token);
    rpc_ = state.stub.PrepareCall(&context_, method, &state.queue);
  }

  void Start() {
    self_ = shared_from_this();
    {
      const std::lock_guard lock(state_.mutex);
      state_.streams.insert(this);
    }
    rpc_->StartCall(&start_);
  }

  void Send(std::string message) override {
    const std::lock_guard lock(mutex_);
    if (finishing_ || half_closed_) return;
    outgoing_.push_back(std::move(message));
    WriteNext();
  }

  void HalfClose() override {
    const std::lock_guard lock(mutex_);
    if (half_closed_) return;
    half_closed_ = true;
    WriteNext();
  }

  void Cancel() override { context_.TryCancel(); }

  /// On the channel's thread.
  void OnStep(Step step, bool ok) {
    switch (step) {
      case Step::kStart: return OnStarted(ok);
      case Step::kRead: return OnRead(ok);
      case Step::kWrite:
      case Step::kWritesDone: return OnWritten(ok);
      case Step::kFinish: return OnFinished();
    }
  }

 private:
  void OnStarted(bool ok) {
    const std::lock_guard lock(mutex_);
    started_ = true;
    if (!ok) return Finish();
    rpc_->Read(&incoming_, &read_);
    WriteNext();
  }

  void OnRead(bool ok) {
    if (ok) events_.on_message(ToString(incoming_));
    const std::lock_guard lock(mutex_);
    if (!ok) return Finish();
    rpc_->Read(&incoming_, &read_);
  }

  void OnWritten(bool ok) {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (!ok) outgoing_.clear();  // the stream is ending; the read that is under way will say so
    WriteNext();
    if (finished_) Leave(lock);
  }

  void OnFinished() {
    events_.on_end(ResultOf(status_));
    std::unique_lock lock(mutex_);
    finished_ = true;
    if (!writing_) Leave(lock);
  }

  // Under the lock.
  void WriteNext() {
    if (!started_ || writing_ || finishing_) return;
    if (!outgoing_.empty()) {
      writing_ = true;
      const grpc::ByteBuffer buffer = ToBuffer(outgoing_.front());
      outgoing_.pop_front();
      rpc_->Write(buffer, &write_);
    } else if (half_closed_ && !writes_done_) {
      writing_ = writes_done_ = true;
      rpc_->WritesDone(&writes_done_tag_);
    }
  }

  void Finish() {
    finishing_ = true;
    rpc_->Finish(&status_, &finish_);
  }

  /// The last that happens to a stream: nothing of gRPC refers to it any more.
  void Leave(std::unique_lock<std::mutex>& lock) {
    const std::shared_ptr<Stream> self = std::move(self_);
    lock.unlock();
    // What the events captured may be waiting to go; it must not wait for whoever keeps the stream.
    events_ = {};
    const std::lock_guard state_lock(state_.mutex);
    state_.streams.erase(this);
    if (state_.streams.empty()) state_.none_left.notify_all();
  }

  State& state_;
  GrpcStreamEvents events_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> rpc_;
  std::shared_ptr<Stream> self_;  // while gRPC holds a tag
  grpc::ByteBuffer incoming_;
  grpc::Status status_;

  Tag start_{this, Step::kStart};
  Tag read_{this, Step::kRead};
  Tag write_{this, Step::kWrite};
  Tag writes_done_tag_{this, Step::kWritesDone};
  Tag finish_{this, Step::kFinish};

  std::mutex mutex_;  // guards what follows, and starting operations of rpc_
  std::deque<std::string> outgoing_;
  bool started_ = false;
  bool writing_ = false;
  bool half_closed_ = false;
  bool writes_done_ = false;
  bool finishing_ = false;
  bool finished_ = false;
};

void GrpcChannel::State::Drive() {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    const auto [stream, step] = *static_cast<Stream::Tag*>(tag);
    stream->OnStep(step, ok);
  }
}

GrpcChannel::GrpcChannel(const GrpcChannelOptions& options, Env& env)
    : env_(env), state_(std::make_unique<State>(options)) {}

GrpcChannel::~GrpcChannel() {
  {
    std::unique_lock lock(state_->mutex);
    for (Stream* stream : state_->streams) stream->Cancel();
    state_->none_left.wait(lock, [this] { return state_->streams.empty(); });
  }
  state_->queue.Shutdown();
  state_->thread.join();
}

std::shared_ptr<GrpcStream> GrpcChannel::Open(const std::string& method, const GrpcMetadata& metadata,
                                              GrpcStreamEvents events) {
  auto stream = std::make_shared<Stream>(*state_, method, metadata, std::move(events));
  stream->Start();
  return stream;
}

Result<std::vector<std::string>> GrpcChannel::Call(const std::string& method, std::string request,
                                                   const GrpcMetadata& metadata, std::size_t max_bytes,
                                                   const CallContext& call) {
  struct Outcome {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::vector<std::string> replies;
    std::size_t bytes = 0;
    std::optional<Result<void>> status;
  };
  SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
  const auto outcome = std::make_shared<Outcome>();
  const auto stream = Open(method, metadata,
                           {.on_message =
                                [outcome, max_bytes](std::string_view message) {
                                  const std::lock_guard lock(outcome->mutex);
                                  outcome->bytes += message.size();
                                  if (outcome->bytes <= max_bytes) outcome->replies.emplace_back(message);
                                },
                            .on_end =
                                [outcome](Result<void> status) {
                                  const std::lock_guard lock(outcome->mutex);
                                  outcome->status = std::move(status);
                                  outcome->ended.notify_all();
                                }});
  stream->Send(std::move(request));
  stream->HalfClose();
  std::unique_lock lock(outcome->mutex);
  if (!env_.WaitUntil(lock, outcome->ended, call.deadline, call.stop, [&] { return outcome->status.has_value(); })) {
    lock.unlock();
    stream->Cancel();
    SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
    return Fail(ErrorCode::kDeadlineExceeded, "the deadline of the call has passed");
  }
  SEEDCORE_RETURN_IF_ERROR(*outcome->status);
  if (outcome->bytes > max_bytes) {
    return Fail(ErrorCode::kPayloadTooLarge, fmt::format("a reply of more than {} bytes", max_bytes));
  }
  return std::move(outcome->replies);
}

}  // namespace seedcore::ray
