#include "service/workers.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/check.h"
#include "base/strings.h"
#include "queue/backoff.h"
#include "service/members.h"
#include "store/prepared_task.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxWorkerId = 128;
constexpr std::size_t kMaxTypes = 100;
constexpr int kMaxClaim = 100;
constexpr double kMaxLease = 3600.0;
constexpr double kMaxWait = 60.0;
constexpr double kMaxSnooze = 30.0 * 86'400.0;
constexpr std::size_t kMaxReasonBytes = 1000;
constexpr double kMaxRetryAfter = 366.0 * 86'400.0;
constexpr std::size_t kMaxErrorBytes = 65'536;

Result<void> CheckWorkerId(const std::string& id) {
  if (!id.empty() && id.size() <= kMaxWorkerId) return {};
  return Invalid(fmt::format("expected 1 to {} bytes, got {}", kMaxWorkerId, id.size()), "worker_id");
}

Result<void> CheckSeconds(double value, double min, double max, std::string path) {
  if (value >= min && value <= max) return {};
  return Invalid(fmt::format("expected {} to {} seconds, got {}", min, max, value), std::move(path));
}

Result<void> CheckCount(std::size_t count, std::size_t max, std::string path) {
  if (count >= 1 && count <= max) return {};
  return Invalid(fmt::format("expected 1 to {}, got {}", max, count), std::move(path));
}

}  // namespace

Result<void> WorkerClaimRequest::Validate() const {
  SEEDCORE_RETURN_IF_ERROR(CheckWorkerId(worker_id));
  SEEDCORE_RETURN_IF_ERROR(CheckCount(types.size(), kMaxTypes, "types"));
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string_view type = Trim(types[i]);
    if (type.empty() || type.size() > store::kMaxTypeBytes) {
      return Invalid(fmt::format("expected 1 to {} bytes, got {}", store::kMaxTypeBytes, type.size()),
                     fmt::format("types[{}]", i));
    }
  }
  if (limit < 1 || limit > kMaxClaim)
    return Invalid(fmt::format("expected 1 to {}, got {}", kMaxClaim, limit), "limit");
  SEEDCORE_RETURN_IF_ERROR(CheckSeconds(lease_s, 1.0, kMaxLease, "lease_s"));
  return CheckSeconds(wait_s, 0.0, kMaxWait, "wait_s");
}

Result<void> WorkerRenewRequest::Validate() const {
  SEEDCORE_RETURN_IF_ERROR(CheckWorkerId(worker_id));
  SEEDCORE_RETURN_IF_ERROR(CheckCount(tasks.size(), kMaxClaim, "tasks"));
  return CheckSeconds(lease_s, 1.0, kMaxLease, "lease_s");
}

Result<void> WorkerHoldRequest::Validate() const {
  if (timeout_s) return CheckSeconds(*timeout_s, 0.0, kMaxRetryAfter, "timeout_s");
  return {};
}

Result<void> WorkerFailRequest::Validate() const {
  if (error.size() > kMaxErrorBytes) return Invalid(fmt::format("longer than {} bytes", kMaxErrorBytes), "error");
  if (retry_after_s) return CheckSeconds(*retry_after_s, 0.0, kMaxRetryAfter, "retry_after_s");
  return {};
}

Result<void> WorkerSnoozeRequest::Validate() const {
  if (reason.size() > kMaxReasonBytes) return Invalid(fmt::format("longer than {} bytes", kMaxReasonBytes), "reason");
  return CheckSeconds(delay_s, 1.0, kMaxSnooze, "delay_s");
}

WorkerService::WorkerService(Dependencies dependencies)
    : env_(*dependencies.env),
      tasks_(*dependencies.tasks),
      steps_(*dependencies.steps),
      max_waiting_(dependencies.max_waiting),
      on_types_(std::move(dependencies.on_types)),
      progress_(*dependencies.env, *dependencies.tasks, *dependencies.metrics) {}

void WorkerService::ListenForTasks() {
  std::call_once(listening_, [this] {
    runnable_ = tasks_.OnRunnable([this] {
      const std::scoped_lock lock(mutex_);
      ++signals_;
      changed_.notify_all();
    });
  });
}

Result<WorkerClaims> WorkerService::Claim(const WorkerClaimRequest& request, const CallContext& call) {
  store::ClaimRequest wanted{.owner_id = request.worker_id,
                             .limit = request.limit,
                             .lease = FromSeconds(request.lease_s),
                             .types = request.types};
  for (std::string& type : wanted.types) type = ToLower(Trim(type));
  if (on_types_) SEEDCORE_RETURN_IF_ERROR(on_types_(wanted.types));
  // The answer must be out before the caller's own patience ends.
  constexpr auto kMargin = std::chrono::milliseconds(500);
  const Instant give_up = std::min(env_.Now() + FromSeconds(request.wait_s), call.deadline - kMargin);

  if (give_up > env_.Now()) ListenForTasks();
  std::vector<store::Claim> claims;
  for (;;) {
    std::uint64_t seen = 0;
    {
      const std::scoped_lock lock(mutex_);
      seen = signals_;
    }
    SEEDCORE_ASSIGN_OR_RETURN(claims, TryClaim(wanted, call));
    if (!claims.empty()) break;
    SEEDCORE_ASSIGN_OR_RETURN(const auto next, tasks_.NextRunAfter());
    // What becomes runnable by time is not signalled. A task that is due and was not claimed is of another type.
    Instant look_at = give_up;
    if (next)
      look_at = std::min(look_at, env_.Now() + std::max<std::chrono::microseconds>(*next - env_.WallNow(), kMargin));
    if (!AwaitRunnable(seen, look_at, give_up, call)) break;
  }
  if (claims.empty() && call.stop.stop_requested()) {
    return seedcore::Fail(ErrorCode::kCancelled, "the worker left while it waited");
  }
  std::vector<std::vector<store::TaskStep>> kept(claims.size());
  if (request.with_steps) {
    auto read = StepsOf(claims);
    if (!read) {
      // The worker never hears of these tasks, and would keep them for the whole lease.
      (void)HandBack(claims);
      return std::unexpected(std::move(read.error()));
    }
    kept = std::move(*read);
  }
  WorkerClaims out;
  out.items.reserve(claims.size());
  for (std::size_t i = 0; i < claims.size(); ++i) {
    store::Claim& claim = claims[i];
    const std::int64_t token = claim.task.fencing_token;
    std::string key = claim.task.id;
    std::vector<StepRead> steps;
    for (store::TaskStep& step : kept[i]) steps.push_back(ToStepRead(std::move(step), claim.task.id));
    out.items.push_back({ToTaskRead(std::move(claim.task)), token, std::move(key), std::move(steps)});
  }
  return out;
}

Result<std::vector<store::Claim>> WorkerService::TryClaim(const store::ClaimRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
  SEEDCORE_ASSIGN_OR_RETURN(auto claims, tasks_.ClaimTasks(request));
  if (claims.empty() || !call.stop.stop_requested()) return claims;
  // Nobody is there any more to take them.
  SEEDCORE_RETURN_IF_ERROR(HandBack(claims));
  return seedcore::Fail(ErrorCode::kCancelled, "the worker left while it waited");
}

Result<void> WorkerService::HandBack(std::span<const store::Claim> claims) {
  std::vector<store::Finish> back;
  back.reserve(claims.size());
  for (const store::Claim& claim : claims) back.push_back({claim.lease(), store::HandedBack{}, {}});
  SEEDCORE_ASSIGN_OR_RETURN([[maybe_unused]] const auto results, tasks_.FinishTasks(back));
  return {};
}

Result<std::vector<std::vector<store::TaskStep>>> WorkerService::StepsOf(std::span<const store::Claim> claims) {
  std::vector<std::vector<store::TaskStep>> out;
  out.reserve(claims.size());
  for (const store::Claim& claim : claims) {
    SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), steps_.Steps(claim.task.id));
  }
  return out;
}

bool WorkerService::AwaitRunnable(std::uint64_t seen, Instant look_at, Instant give_up, const CallContext& call) {
  std::unique_lock lock(mutex_);
  if (closed_ || env_.Now() >= give_up) return false;
  if (signals_ != seen) return true;
  // Each of those that wait holds a thread of the server; beyond the bound the answer is "nothing now".
  if (waiting_ >= max_waiting_) return false;
  ++waiting_;
  env_.WaitUntil(lock, changed_, look_at, call.stop, [&] { return closed_ || signals_ != seen; });
  --waiting_;
  return !closed_ && !call.stop.stop_requested() && (signals_ != seen || env_.Now() < give_up);
}

Result<WorkerRenewal> WorkerService::Renew(const WorkerRenewRequest& request, const CallContext&) {
  std::vector<store::Lease> leases;
  leases.reserve(request.tasks.size());
  for (const WorkerLease& task : request.tasks) leases.push_back({task.id, request.worker_id, task.fencing_token});
  SEEDCORE_ASSIGN_OR_RETURN(const auto renewed, tasks_.Renew(leases, FromSeconds(request.lease_s)));
  SEEDCORE_CHECK(renewed.size() == leases.size(), "Renew answers for each lease");
  if (const auto busy = std::ranges::find_if(renewed, &store::RenewResult::busy); busy != renewed.end()) {
    const std::string& id = leases[static_cast<std::size_t>(busy - renewed.begin())].task_id;
    return seedcore::Fail(
        ErrorCode::kUnavailable,
        fmt::format("another transaction has task {} in its hands; the leases of the others are renewed, try again",
                    id));
  }
  WorkerRenewal out;
  out.items.reserve(renewed.size());
  for (std::size_t i = 0; i < renewed.size(); ++i) {
    out.items.push_back({leases[i].task_id, renewed[i].renewed, renewed[i].cancel_requested});
  }
  return out;
}

Result<TaskStatusRead> WorkerService::Complete(const WorkerCompleteRequest& request, const CallContext&) {
  return Finish({.lease = {request.id, request.worker_id, request.fencing_token},
                 .outcome = store::Completed{request.result},
                 .effects = {}});
}

Result<TaskStatusRead> WorkerService::Fail(const WorkerFailRequest& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const store::Task task, tasks_.Get(request.id));
  queue::Failure failure{
      .error = {request.retry ? ErrorCode::kUnavailable : ErrorCode::kNonRetryable, request.error, {}},
      .result = request.result,
      .delay = std::nullopt};
  if (request.retry && request.retry_after_s) failure.delay = FromSeconds(*request.retry_after_s);
  store::Finish finish{.lease = {task.id, request.worker_id, request.fencing_token}, .outcome = {}, .effects = {}};
  // Whether the worker may still say anything about the task is for the store to decide, in its transaction.
  std::visit([&](auto&& decided) { finish.outcome = std::forward<decltype(decided)>(decided); },
             queue::AfterFailure(task, std::move(failure), env_.WallNow(), env_.RandomUnit()));
  return Finish(std::move(finish));
}

Result<TaskStatusRead> WorkerService::Checkpoint(const WorkerCheckpointRequest& request, const CallContext&) {
  store::StepWrite write{.name = request.step, .result = nullptr, .error = {}, .wait_until = {}, .may_add = true};
  if (request.begin) {
    write.status = store::TaskStepStatus::kRunning;
  } else if (request.error) {
    write.status = store::TaskStepStatus::kFailed;
    write.error = *request.error;
    write.error_code = ToString(ErrorCode::kUnavailable);
  } else {
    write.result = request.result;
  }
  SEEDCORE_RETURN_IF_ERROR(steps_.WriteSteps({request.id, request.worker_id, request.fencing_token}, {&write, 1}, {}));
  return StatusOf(request.id);
}

Result<TaskStatusRead> WorkerService::Hold(const WorkerHoldRequest& request, const CallContext&) {
  store::StepWrite write{.name = request.step,
                         .status = store::TaskStepStatus::kWaiting,
                         .result = nullptr,
                         .error = request.reason,
                         .wait_until = {},
                         .may_add = true};
  if (request.timeout_s) write.wait_until = env_.WallNow() + FromSeconds(*request.timeout_s);
  store::Finish finish{.lease = {request.id, request.worker_id, request.fencing_token},
                       .outcome = store::Held{fmt::format("step '{}': {}", request.step, request.reason), true},
                       .effects = {}};
  finish.steps.push_back(std::move(write));
  return Finish(std::move(finish));
}

Result<TaskStatusRead> WorkerService::Snooze(const WorkerSnoozeRequest& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const store::Task task, tasks_.Get(request.id));
  store::Finish finish{.lease = {task.id, request.worker_id, request.fencing_token}, .outcome = {}, .effects = {}};
  std::visit([&](auto&& decided) { finish.outcome = std::forward<decltype(decided)>(decided); },
             queue::AfterSnooze(task, {FromSeconds(request.delay_s), request.reason}, env_.WallNow()));
  return Finish(std::move(finish));
}

Result<WorkerProgressRead> WorkerService::Progress(const WorkerProgressRequest& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto answer, progress_.Report({request.id, request.worker_id, request.fencing_token},
                                                                {request.fraction, request.note, request.data}));
  return WorkerProgressRead{answer.accepted, answer.cancel_requested};
}

Result<TaskStatusRead> WorkerService::Finish(store::Finish finish) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto results, tasks_.FinishTasks({&finish, 1}));
  SEEDCORE_RETURN_IF_ERROR(results.front());
  return StatusOf(finish.lease.task_id);
}

Result<TaskStatusRead> WorkerService::StatusOf(const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(store::Task task, tasks_.Get(id));
  TaskStatusRead read{.id = std::move(task.id), .status = task.status, .updated_at = task.updated_at, .error = {}};
  if (!task.error.empty()) read.error = std::move(task.error);
  return read;
}

void WorkerService::Close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

OperationTable<WorkerService> WorkerOperations() {
  return {"/api/v1/workers",
          "Workers: claim and finish tasks from any language",
          {
              Post<&WorkerService::Claim>("/claim", "Claims tasks of the given types; waits for one if asked to"),
              Post<&WorkerService::Renew>("/renew", "Keeps claims alive and tells which tasks to stop"),
              Post<&WorkerService::Complete>("/complete", "Ends a task with its result; 409 when the lease was lost"),
              Post<&WorkerService::Progress>("/progress", "Says how far a task is, and hears whether to stop"),
              Post<&WorkerService::Snooze>("/snooze", "Not now: the task comes back later, the attempt does not count"),
              Post<&WorkerService::Fail>("/fail", "Reports a failed attempt; the task is retried as its policy says"),
              Post<&WorkerService::Checkpoint>("/checkpoint",
                                               "Keeps a named step of the task; 409 when the lease was lost"),
              Post<&WorkerService::Hold>("/hold", "Parks the task until a person answers the step"),
          },
          ""};
}

}  // namespace seedcore::service
