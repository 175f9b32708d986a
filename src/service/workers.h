#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "base/metrics.h"
#include "queue/progress_keeper.h"
#include "service/operation.h"
#include "service/steps.h"
#include "service/tasks.h"
#include "store/store.h"

/// Workers in any language, `/api/v1/workers`: claim, renew, report progress,
/// complete, fail, put off. The rules are those of the dispatcher: a
/// claim is a lease with a fencing token, every later call presents the token, and a late one is refused.
namespace seedcore::service {

struct WorkerClaimRequest {
  std::string worker_id;
  std::vector<std::string> types;
  int limit = 1;
  double lease_s = 30.0;
  double wait_s = 0.0;
  bool with_steps = false;
  static constexpr auto kFields = Fields(
      Required("worker_id", &WorkerClaimRequest::worker_id, "Name of the worker, unique among all; 1 to 128 bytes"),
      Required("types", &WorkerClaimRequest::types, "Types it can execute, 1 to 100"),
      Optional("limit", &WorkerClaimRequest::limit, "The most tasks to claim, 1 to 100"),
      Optional("lease_s", &WorkerClaimRequest::lease_s,
               "How long the claim holds without being renewed, 1 to 3600 seconds"),
      Optional("wait_s", &WorkerClaimRequest::wait_s,
               "How long to wait for a task when there is none, 0 to 60 seconds"),
      Optional("with_steps", &WorkerClaimRequest::with_steps,
               "Whether each task comes with the steps that earlier executions have written"));
  [[nodiscard]] Result<void> Validate() const;
};

struct WorkerClaim {
  TaskRead task;
  std::int64_t fencing_token = 0;
  std::string idempotency_key;
  std::vector<StepRead> steps;
  static constexpr auto kFields =
      Fields(Sparse("steps", &WorkerClaim::steps, "With with_steps: in the order in which they were written"),
             Required("task", &WorkerClaim::task, "What to do"),
             Required("fencing_token", &WorkerClaim::fencing_token, "To be presented with every later call about it"),
             Required("idempotency_key", &WorkerClaim::idempotency_key,
                      "The same at every attempt; to be passed on to whatever the work calls"));
};

struct WorkerClaims {
  std::vector<WorkerClaim> items;
  static constexpr auto kFields = Fields(Required("items", &WorkerClaims::items, "Claimed; empty when there was none"));
};

struct WorkerLease {
  std::string id;
  std::int64_t fencing_token = 0;
  static constexpr auto kFields = Fields(Required("id", &WorkerLease::id, "Full task id"),
                                         Required("fencing_token", &WorkerLease::fencing_token, "Of the claim"));
};

struct WorkerRenewRequest {
  std::string worker_id;
  std::vector<WorkerLease> tasks;
  double lease_s = 30.0;
  static constexpr auto kFields =
      Fields(Required("worker_id", &WorkerRenewRequest::worker_id, "As in the claim"),
             Required("tasks", &WorkerRenewRequest::tasks, "What it still works on, 1 to 100"),
             Optional("lease_s", &WorkerRenewRequest::lease_s, "From now, 1 to 3600 seconds"));
  [[nodiscard]] Result<void> Validate() const;
};

struct WorkerRenewed {
  std::string id;
  bool renewed = false;
  bool cancel_requested = false;
  static constexpr auto kFields =
      Fields(Required("id", &WorkerRenewed::id, "Task id"),
             Required("renewed", &WorkerRenewed::renewed, "false: the lease is lost; stop, a result will be refused"),
             Required("cancel_requested", &WorkerRenewed::cancel_requested, "Somebody cancelled the task"));
};

struct WorkerRenewal {
  std::vector<WorkerRenewed> items;
  static constexpr auto kFields = Fields(Required("items", &WorkerRenewal::items, "In the order asked"));
};

struct WorkerCompleteRequest {
  std::string worker_id;
  std::string id;
  std::int64_t fencing_token = 0;
  json::value result;
  static constexpr auto kFields =
      Fields(Required("worker_id", &WorkerCompleteRequest::worker_id, "As in the claim"),
             Required("id", &WorkerCompleteRequest::id, "Full task id"),
             Required("fencing_token", &WorkerCompleteRequest::fencing_token, "Of the claim"),
             Optional("result", &WorkerCompleteRequest::result, "Any JSON"));
};

struct WorkerFailRequest {
  std::string worker_id;
  std::string id;
  std::int64_t fencing_token = 0;
  std::string error;
  bool retry = true;
  std::optional<double> retry_after_s;
  json::value result;
  static constexpr auto kFields =
      Fields(Required("worker_id", &WorkerFailRequest::worker_id, "As in the claim"),
             Required("id", &WorkerFailRequest::id, "Full task id"),
             Required("fencing_token", &WorkerFailRequest::fencing_token, "Of the claim"),
             Required("error", &WorkerFailRequest::error, "What went wrong, for people"),
             Optional("retry", &WorkerFailRequest::retry, "false: another attempt can't help, the task fails for good"),
             Sparse("retry_after_s", &WorkerFailRequest::retry_after_s,
                    "Wait before the next attempt; absent: the back-off of the task"),
             Optional("result", &WorkerFailRequest::result, "What there is of one, kept if the task fails for good"));
  [[nodiscard]] Result<void> Validate() const;
};

struct WorkerCheckpointRequest {
  std::string worker_id;
  std::string id;
  std::int64_t fencing_token = 0;
  std::string step;
  bool begin = false;
  json::value result;
  std::optional<std::string> error;
  static constexpr auto kFields = Fields(
      Required("worker_id", &WorkerCheckpointRequest::worker_id, "As in the claim"),
      Required("id", &WorkerCheckpointRequest::id, "Full task id"),
      Required("fencing_token", &WorkerCheckpointRequest::fencing_token, "Of the claim"),
      Required("step", &WorkerCheckpointRequest::step, "Name, unique in the task; a new one is added at the end"),
      Optional("begin", &WorkerCheckpointRequest::begin, "true: only notes that an attempt of the step begins"),
      Optional("result", &WorkerCheckpointRequest::result, "Any JSON of at most 1 MiB: the step is completed with it"),
      Sparse("error", &WorkerCheckpointRequest::error, "Instead: why the step failed; it may be written again"));
};

struct WorkerHoldRequest {
  std::string worker_id;
  std::string id;
  std::int64_t fencing_token = 0;
  std::string step;
  std::string reason;
  std::optional<double> timeout_s;
  static constexpr auto kFields = Fields(
      Required("worker_id", &WorkerHoldRequest::worker_id, "As in the claim"),
      Required("id", &WorkerHoldRequest::id, "Full task id"),
      Required("fencing_token", &WorkerHoldRequest::fencing_token, "Of the claim"),
      Required("step", &WorkerHoldRequest::step, "Name of the step that a person is to answer"),
      Required("reason", &WorkerHoldRequest::reason, "What is asked"),
      Sparse("timeout_s", &WorkerHoldRequest::timeout_s, "The step fails when nobody has answered by then, seconds"));
  [[nodiscard]] Result<void> Validate() const;
};

struct WorkerSnoozeRequest {
  std::string worker_id;
  std::string id;
  std::int64_t fencing_token = 0;
  double delay_s = 0.0;
  std::string reason;
  static constexpr auto kFields =
      Fields(Required("worker_id", &WorkerSnoozeRequest::worker_id, "As in the claim"),
             Required("id", &WorkerSnoozeRequest::id, "Full task id"),
             Required("fencing_token", &WorkerSnoozeRequest::fencing_token, "Of the claim"),
             Required("delay_s", &WorkerSnoozeRequest::delay_s, "When to try again, 1 second to 30 days from now"),
             Optional("reason", &WorkerSnoozeRequest::reason, "Why not now; kept in the history"));
  [[nodiscard]] Result<void> Validate() const;
};

struct WorkerProgressRequest {
  std::string worker_id;
  std::string id;
  std::int64_t fencing_token = 0;
  double fraction = 0.0;
  std::string note;
  json::value data;
  static constexpr auto kFields =
      Fields(Required("worker_id", &WorkerProgressRequest::worker_id, "As in the claim"),
             Required("id", &WorkerProgressRequest::id, "Full task id"),
             Required("fencing_token", &WorkerProgressRequest::fencing_token, "Of the claim"),
             Required("fraction", &WorkerProgressRequest::fraction, "How much is done, 0 to 1"),
             Optional("note", &WorkerProgressRequest::note, "A short text for people, up to 1000 bytes"),
             Optional("data", &WorkerProgressRequest::data, "Any JSON of up to 8 KiB"));
};

struct WorkerProgressRead {
  bool accepted = false;
  bool cancel_requested = false;
  static constexpr auto kFields = Fields(
      Required("accepted", &WorkerProgressRead::accepted, "false: the lease is lost; stop, a result will be refused"),
      Required("cancel_requested", &WorkerProgressRead::cancel_requested, "Somebody cancelled the task"));
};

/// Thread-safe; what it knows of tasks is in the store.
class WorkerService {
 public:
  struct Dependencies {
    Env* env = nullptr;
    store::TaskStore* tasks = nullptr;
    store::StepStore* steps = nullptr;
    Metrics* metrics = nullptr;
    int max_waiting = 16;  ///< claims that wait, each on a thread of the server; the others are answered at once
    /// Told which types a worker asks for, before each claim; an error refuses it. None: nobody is told.
    std::function<Result<void>(const std::vector<std::string>& types)> on_types{};
  };
  explicit WorkerService(Dependencies dependencies);

  /// Waits for up to `wait_s`, until a task can be claimed. A caller that leaves while it waits costs no task.
  Result<WorkerClaims> Claim(const WorkerClaimRequest& request, const CallContext& call);
  Result<WorkerRenewal> Renew(const WorkerRenewRequest& request, const CallContext& call);
  /// kLeaseLost when the task is another's by now.
  Result<TaskStatusRead> Complete(const WorkerCompleteRequest& request, const CallContext& call);
  Result<TaskStatusRead> Fail(const WorkerFailRequest& request, const CallContext& call);
  /// Durable on return: a later claim of the task comes with it.
  Result<TaskStatusRead> Checkpoint(const WorkerCheckpointRequest& request, const CallContext& call);
  /// Parks the task until the step is answered; the claim is over.
  Result<TaskStatusRead> Hold(const WorkerHoldRequest& request, const CallContext& call);
  /// The task comes back after the delay and the attempt does not count; it fails when that would be past its deadline,
  /// or when it has been put off for too long in all.
  Result<TaskStatusRead> Snooze(const WorkerSnoozeRequest& request, const CallContext& call);
  /// About one report per second and task is written; the last one counts.
  Result<WorkerProgressRead> Progress(const WorkerProgressRequest& request, const CallContext& call);

  /// Lets all that wait go, and nobody wait any more. Before the server stops.
  void Close();

 private:
  /// From the first claim that may wait: who listens counts as one who takes tasks.
  void ListenForTasks();
  /// Their attempts do not count.
  Result<void> HandBack(std::span<const store::Claim> claims);
  Result<std::vector<std::vector<store::TaskStep>>> StepsOf(std::span<const store::Claim> claims);
  Result<std::vector<store::Claim>> TryClaim(const store::ClaimRequest& request, const CallContext& call);
  /// Waits for a signal after the one numbered `seen`, or for `look_at`. Returns whether to look again: not past
  /// `give_up`, nor when the caller has left or too many wait already.
  bool AwaitRunnable(std::uint64_t seen, Instant look_at, Instant give_up, const CallContext& call);
  Result<TaskStatusRead> Finish(store::Finish finish);
  Result<TaskStatusRead> StatusOf(const std::string& id);

  Env& env_;
  store::TaskStore& tasks_;
  store::StepStore& steps_;
  const int max_waiting_;
  const std::function<Result<void>(const std::vector<std::string>& types)> on_types_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable_any changed_;
  std::uint64_t signals_ = 0;
  int waiting_ = 0;
  bool closed_ = false;
  queue::ProgressKeeper progress_;
  std::once_flag listening_;
  store::Subscription runnable_;  // goes first: its listener uses the rest
};

[[nodiscard]] OperationTable<WorkerService> WorkerOperations();

}  // namespace seedcore::service
