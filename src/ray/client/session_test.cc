#include "ray/client/session.h"

#include <deque>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// How a session starts at a proxy that does not always manage to start one. A real one is met in tests/ray_client.
namespace seedcore::ray {
namespace {

using ::testing::HasSubstr;

/// What becomes of a stream's `init`, as Ray 2.60 shows it (ray/util/client/server/proxier.py).
enum class Start {
  kServed,
  kForkCrashed,  ///< the forked process ended at once: a refusal with a traceback, on a stream that stays open
  kDiedLater,    ///< it ended before it answered: the stream breaks with the proxy's own error
  kEnded,        ///< the proxy ends the stream without a word
  kUntold,       ///< the proxy waits for a process that has ended
  kDisagreed,    ///< Ray does not take what it was asked for
};

constexpr const char* kCrash =
    "Traceback (most recent call last):\n  File \"proxier.py\", line 710, in Datapath\n    raise RuntimeError(\n"
    "RuntimeError: Starting Ray client server failed. See ray_client_server_23000.err for detailed logs.\n";
constexpr const char* kDisagreement =
    "Traceback (most recent call last):\n  File \"worker.py\", line 1, in init\n"
    "RuntimeError: Unknown keyword argument(s): nope\n";

/// The server's side of one stream. At most one operation is under way, so that its callbacks need no lock.
class Stream final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Stream(Start start) : start_(start) { StartRead(&incoming_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    grpc::Slice bytes;
    rpc::DataRequest request;
    if (!incoming_.DumpToSingleSlice(&bytes).ok() ||
        !request.ParseFromArray(bytes.begin(), static_cast<int>(bytes.size()))) {
      return Finish({grpc::StatusCode::INTERNAL, "unreadable"});
    }
    Answer(request);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&incoming_);
  }
  void OnDone() override { delete this; }

 private:
  void Answer(const rpc::DataRequest& request) {
    rpc::DataResponse response;
    response.set_req_id(request.req_id());
    if (request.has_connection_cleanup()) {
      response.mutable_connection_cleanup();
      return Reply(response);
    }
    switch (start_) {
      case Start::kDiedLater: return Finish({grpc::StatusCode::UNAVAILABLE, "Socket closed"});
      case Start::kEnded: return Finish(grpc::Status::OK);
      case Start::kUntold: return StartRead(&incoming_);
      case Start::kServed: response.mutable_init()->set_ok(true); break;
      case Start::kForkCrashed: response.mutable_init()->set_msg(kCrash); break;
      case Start::kDisagreed: response.mutable_init()->set_msg(kDisagreement); break;
    }
    Reply(response);
  }

  void Reply(const rpc::DataResponse& response) {
    const grpc::Slice bytes(response.SerializeAsString());
    outgoing_ = grpc::ByteBuffer(&bytes, 1);
    StartWrite(&outgoing_);
  }

  const Start start_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
};

/// A gRPC server that starts sessions as it is told, the last way again and again.
class Proxy final : public grpc::CallbackGenericService {
 public:
  explicit Proxy(std::deque<Start> starts) : starts_(std::move(starts)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~Proxy() override { server_->Shutdown(); }

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const std::lock_guard lock(mutex_);
    const auto id = context->client_metadata().find("client_id");
    client_ids_.emplace_back(id == context->client_metadata().end() ? "" : std::string(id->second.data(), 32));
    const Start start = starts_.front();
    if (starts_.size() > 1) starts_.pop_front();
    return new Stream(start);
  }

  [[nodiscard]] std::string Address() const { return fmt::format("127.0.0.1:{}", port_); }
  [[nodiscard]] std::vector<std::string> ClientIds() {
    const std::lock_guard lock(mutex_);
    return client_ids_;
  }

 private:
  int port_ = 0;
  std::mutex mutex_;  // guards what follows
  std::deque<Start> starts_;
  std::vector<std::string> client_ids_;
  std::unique_ptr<grpc::Server> server_;
};

class SessionStart : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Session>> Open(Proxy& proxy, const CallContext& call = {}) {
    channel_ = std::make_unique<GrpcChannel>(GrpcChannelOptions{.address = proxy.Address()}, RealEnv());
    return Session::Open(*channel_, options_, RealEnv(), call);
  }

  SessionOptions options_{.ray_namespace = "seed", .init_pause = std::chrono::milliseconds(1)};

 private:
  std::unique_ptr<GrpcChannel> channel_;
};

std::size_t Different(const std::vector<std::string>& ids) { return std::set(ids.begin(), ids.end()).size(); }

TEST_F(SessionStart, IsTriedAgainUnderANewClientIdWhenTheForkCrashed) {
  for (const Start botched : {Start::kForkCrashed, Start::kDiedLater, Start::kEnded}) {
    Proxy proxy({botched, Start::kServed});
    const auto session = Open(proxy);
    ASSERT_TRUE(session) << session.error().message;
    const auto ids = proxy.ClientIds();
    ASSERT_EQ(ids.size(), 2U);
    EXPECT_NE(ids[0], ids[1]);
    EXPECT_EQ(ids[1], (*session)->client_id());
  }
}

TEST_F(SessionStart, IsTriedAgainWhenTheProxyWaitsForADeadProcess) {
  options_.init_answer = std::chrono::seconds(1);
  Proxy proxy({Start::kUntold, Start::kServed});
  const auto session = Open(proxy);
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_GE(Different(proxy.ClientIds()), 2U);
}

TEST_F(SessionStart, FailsWithOneLineWhenEveryTryIsBotched) {
  Proxy proxy({Start::kForkCrashed});
  const auto session = Open(proxy);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(session.error().message,
            "Ray's proxy started no session in 3 tries, the last time: Ray refused the session: RuntimeError: Starting "
            "Ray client server failed. See ray_client_server_23000.err for detailed logs. (when its forks crash, "
            "GRPC_ENABLE_FORK_SUPPORT=0 for `ray start` helps)");
  EXPECT_EQ(proxy.ClientIds().size(), 3U);
  EXPECT_EQ(Different(proxy.ClientIds()), 3U);
}

TEST_F(SessionStart, KeepsTheReasonWhenThereIsNoTimeForAnotherTry) {
  options_.init_pause = std::chrono::hours(1);
  Proxy proxy({Start::kForkCrashed});
  const auto session = Open(proxy, CallContext{}.Within(std::chrono::minutes(1), RealEnv()));
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().message, HasSubstr("no session in 1 try, the last time: Ray refused the session"));
  EXPECT_EQ(proxy.ClientIds().size(), 1U);
}

TEST_F(SessionStart, IsNotTriedAgainWhenRayDisagrees) {
  Proxy proxy({Start::kDisagreed, Start::kServed});
  const auto session = Open(proxy);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(session.error().message, "Ray refused the session: RuntimeError: Unknown keyword argument(s): nope");
  EXPECT_EQ(proxy.ClientIds().size(), 1U);
}

TEST_F(SessionStart, EndsWithItsCall) {
  std::stop_source stop;
  stop.request_stop();
  Proxy proxy({Start::kUntold});
  const auto session = Open(proxy, {.stop = stop.get_token()});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kCancelled);
}

TEST_F(SessionStart, SaysThatNothingCameWhenItsTimeIsUp) {
  Proxy proxy({Start::kUntold});
  const auto session = Open(proxy, CallContext{}.Within(std::chrono::milliseconds(50), RealEnv()));
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(session.error().message, HasSubstr("no session in 1 try, the last time: no answer within "));
}

}  // namespace
}  // namespace seedcore::ray
