// Whether the process behind a session's stream still lives.
#include "ray/client/session.h"

namespace seedcore::ray {
namespace {

constexpr const char* kClusterInfo = "/ray.rpc.RayletDriver/ClusterInfo";
constexpr std::size_t kSmallAnswer = 64 * 1024;
/// Questions without an answer, one after the other, until a process counts as dead.
constexpr int kProofs = 2;

}  // namespace

bool Session::IsSilent(Instant since) {
  const std::lock_guard lock(mutex_);
  return state_ == State::kConnected && !pending_.empty() && heard_ < since;
}

/// One question to the session's own process, through the proxy, which waits half a minute for a dead one; and one that
/// the proxy answers itself, to tell the two apart.
bool Session::ServerProcessAnswers(const std::stop_token& stop, bool& proxy_answers) {
  const auto ask = [&](rpc::ClusterInfoType::TypeEnum type) {
    rpc::ClusterInfoRequest request;
    request.set_type(type);
    CallContext call = CallContext{}.Within(options_.proof, env_);
    call.stop = stop;
    const auto answer =
        channel_.Call(kClusterInfo, request.SerializeAsString(), {{"client_id", client_id_}}, kSmallAnswer, call);
    return answer.has_value();
  };
  if (ask(rpc::ClusterInfoType::IS_INITIALIZED)) return true;
  proxy_answers = ask(rpc::ClusterInfoType::PING);
  return false;
}

void Session::WatchLoop(const std::stop_token& stop) {
  int unanswered = 0;
  while (env_.SleepFor(unanswered == 0 ? options_.silence : std::chrono::milliseconds(0), stop)) {
    const Instant before = env_.Now() - options_.silence;
    if (!IsSilent(before)) {
      unanswered = 0;
      continue;
    }
    bool proxy_answers = false;
    if (ServerProcessAnswers(stop, proxy_answers)) {
      unanswered = 0;
      continue;
    }
    if (stop.stop_requested()) return;
    // A proxy that does not answer either is a matter of the connection, whose end shows by itself.
    unanswered = proxy_answers ? unanswered + 1 : 0;
    if (unanswered < kProofs) continue;
    const std::lock_guard lock(mutex_);
    if (state_ == State::kConnected) Die({ErrorCode::kUnavailable, "the session's server process is gone", ""});
    return;
  }
}

}  // namespace seedcore::ray
