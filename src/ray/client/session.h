#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"
#include "ray/client/grpc_channel.h"
#include "ray_client.pb.h"

namespace seedcore::ray {

namespace rpc = ::ray::rpc;

struct SessionOptions {
  std::string ray_namespace;                       ///< of the job, so also of actors that name none
  std::chrono::seconds reconnect_grace{30};        ///< how long a broken session may take to come back
  std::chrono::milliseconds reconnect_pause{250};  ///< between two tries
  std::chrono::milliseconds silence{2'000};  ///< of a server that owes an answer, before it is asked whether it lives
  std::chrono::milliseconds proof{3'000};    ///< for its answer to that; twice in a row without one, and it is dead
  std::chrono::milliseconds goodbye{3'000};  ///< for the last exchange, also in the destructor
  std::size_t max_in_flight = 64;            ///< requests without a reply; further ones wait
  int init_attempts = 3;
  std::chrono::milliseconds init_pause{500};      ///< between two of them
  std::chrono::milliseconds init_answer{15'000};  ///< for each; a proxy whose process died tells so after half a minute
};

/// One session with a Ray Client server: one job of the cluster, one process on its head node. Requests of several
/// threads share one stream; replies find their request by its number.
///
/// When the stream breaks, a thread opens it again under the same client id, within the grace period, and sends again
/// what has no reply; the server answers from its memory what it had done already. After that, or when the server no
/// longer knows the session, every request fails with the reason and the session stays dead. The proxy in between keeps
/// the stream up when the session's own process has died, so that another thread asks after that process while an
/// answer is owed.
class Session {
 public:
  /// Starts the session: takes about a second. A start that the server botches (its fork can crash) is tried again
  /// under a new client id; kUnavailable with the last reason when no try is left. `channel` must outlive the session.
  [[nodiscard]] static Result<std::unique_ptr<Session>> Open(GrpcChannel& channel, const SessionOptions& options,
                                                             Env& env, const CallContext& call);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Waits for the reply, within the deadline. A ticket that arrives after its caller has gone is released.
  [[nodiscard]] Result<rpc::DataResponse> Request(rpc::DataRequest request, const CallContext& call);
  /// The pickle of a task's result, once there is one: the server sends it by itself and holds no thread meanwhile. A
  /// result that is an exception comes as its pickle, too. kPayloadTooLarge beyond `max_bytes`.
  [[nodiscard]] Result<std::string> Get(const std::string& object_id, std::size_t max_bytes, const CallContext& call);
  /// A task whose pickled arguments may be too long for one message.
  [[nodiscard]] Result<rpc::ClientTaskTicket> RunTask(rpc::ClientTask task, const CallContext& call);
  /// Lets go of objects or actors without waiting.
  void Release(std::vector<std::string> ids);
  /// The same for a small object: it goes with others in one message, which is a third of a call's cost otherwise.
  void ReleaseSoon(std::string id);

  /// Returns when the stream is up. The reason when the session is dead, or is still broken at the deadline.
  [[nodiscard]] Result<void> AwaitConnected(const CallContext& call);
  [[nodiscard]] const std::string& client_id() const { return client_id_; }

  /// Ends the job on the server and the stream. Requests from now on fail; again is harmless.
  void Close();

 private:
  enum class State { kConnected, kBroken, kDead, kClosed };

  struct Pending {
    std::vector<std::string> messages;  // kept for sending again
    bool is_get = false;                // answered when the result is there, perhaps in several parts: these
    std::string parts;
    std::size_t max_bytes = 0;
    std::condition_variable_any replied;
    bool is_done = false;
    bool is_abandoned = false;
    Result<rpc::DataResponse> reply;
  };

  Session(GrpcChannel& channel, const SessionOptions& options, Env& env);

  Result<void> Start(const CallContext& call);
  Result<rpc::DataResponse> RequestInit(const CallContext& call);
  Result<rpc::DataResponse> Exchange(std::vector<rpc::DataRequest> parts, const CallContext& call);
  Result<rpc::DataResponse> Await(std::unique_lock<std::mutex>& lock, std::int32_t req_id,
                                  const std::shared_ptr<Pending>& pending, const CallContext& call);
  Result<std::int32_t> Send(std::vector<rpc::DataRequest> parts, const std::shared_ptr<Pending>& pending);
  static bool TakePart(Pending& pending, const rpc::GetResponse& part);
  bool IsSilent(Instant since);
  bool ServerProcessAnswers(const std::stop_token& stop, bool& proxy_answers);
  void WatchLoop(const std::stop_token& stop);
  void OpenStream(bool is_reconnect);
  void OnMessage(int generation, std::string_view message);
  void OnEnd(int generation, const Result<void>& status);
  void Acknowledge(std::int32_t req_id);
  void Die(Error reason);
  void ReconnectLoop(const std::stop_token& stop);
  void SendRelease(std::vector<std::string> ids);

  GrpcChannel& channel_;
  const SessionOptions options_;
  Env& env_;
  std::string client_id_;

  std::mutex mutex_;  // guards everything below
  std::condition_variable_any changed_;
  State state_ = State::kConnected;
  Error reason_;          // of kBroken and kDead
  Instant broken_since_;  // of kBroken
  int generation_ = 0;    // counts streams, so that the last words of an old one are not taken for a new one's
  bool stream_ended_ = false;
  bool is_started_ = false;
  std::shared_ptr<GrpcStream> stream_;
  std::int32_t last_req_id_ = 0;
  int unacknowledged_ = 0;
  std::map<std::int32_t, std::shared_ptr<Pending>> pending_;
  std::vector<std::string> to_release_;  // fewer than kReleasedTogether
  Instant heard_;                        // when the last message arrived

  std::jthread reconnector_;
  std::jthread watcher_;
};

}  // namespace seedcore::ray
