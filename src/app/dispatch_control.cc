#include "app/dispatch_control.h"

#include <algorithm>

namespace seedcore::app {
namespace {

constexpr double kLongestS = 3600.0;
/// Left of a call's time for writing its answer.
constexpr std::chrono::milliseconds kAnswering{250};

}  // namespace

Result<void> DispatchControl::CheckOpen() const {
  if (open_) return {};
  return Fail(ErrorCode::kUnavailable, "it is starting");
}

Result<std::chrono::milliseconds> DispatchControl::Patience(double seconds, const CallContext& call) const {
  if (!(seconds >= 0.0 && seconds <= kLongestS)) {
    return Fail(ErrorCode::kInvalidArgument, "expected 0 to 3600 seconds", "timeout_s");
  }
  const std::chrono::milliseconds asked(static_cast<std::int64_t>(seconds * 1000.0));
  if (call.deadline == Instant::max()) return asked;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(call.deadline - env_.Now()) - kAnswering;
  return std::clamp(left, std::chrono::milliseconds(0), asked);
}

Result<DispatchHealth> DispatchControl::Health(const service::Empty&, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(CheckOpen());
  const DispatchHostStatus status = host_.Status();
  DispatchHealth health{.status = {},
                        .service = status.role == "queue" ? kDispatcherService : kReaperService,
                        .name = status.name,
                        .state = status.state,
                        .problems = {}};
  if (status.state != "running") health.problems.push_back("it is " + status.state);
  if (!status.heartbeat_error.empty()) health.problems.push_back("heartbeat: " + status.heartbeat_error);
  if (const auto store = host_.CheckStore(); !store) health.problems.push_back(ToString(store.error()));
  health.status = health.problems.empty() ? "healthy" : "unhealthy";
  return health;
}

Result<DispatchHostStatus> DispatchControl::Status(const service::Empty&, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(CheckOpen());
  return host_.Status();
}

Result<DispatchCheckReply> DispatchControl::HealthCheck(const DispatchCheckRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(CheckOpen());
  SEEDCORE_ASSIGN_OR_RETURN(const auto patience, Patience(request.timeout_s, call));
  SEEDCORE_ASSIGN_OR_RETURN(auto proven, host_.Prove(request.count, patience));
  return DispatchCheckReply{std::move(proven)};
}

Result<DispatchHostStatus> DispatchControl::Drain(const DispatchDrainRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(CheckOpen());
  SEEDCORE_ASSIGN_OR_RETURN(const auto patience, Patience(request.timeout_s, call));
  host_.Drain(patience);
  return host_.Status();
}

service::OperationTable<DispatchControl> DispatchOperations() {
  using service::Get;
  using service::Post;
  return {"/dispatch",
          "Dispatch: one dispatcher or reaper, at its own listener",
          {
              Get<&DispatchControl::Health>("/health", "Whether it works, and its store answers"),
              Get<&DispatchControl::Status>("/status", "What it is doing"),
              Post<&DispatchControl::HealthCheck>("/health-check", "Health tasks through the queue, and who ran them"),
              Post<&DispatchControl::Drain>("/drain", "Claim nothing more, finish or hand back what is running"),
          },
          ""};
}

}  // namespace seedcore::app
