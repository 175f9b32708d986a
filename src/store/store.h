#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/progress.h"
#include "store/queue_store.h"
#include "store/rule_store.h"
#include "store/schedule_store.h"
#include "store/signal.h"
#include "store/step_store.h"
#include "store/task.h"

/// What SeedCore keeps. Coarse operations, one transaction each, durable on return. Every method may be called from any
/// thread and blocks for at most one group commit or one read. Errors: kUnavailable (closed, disk full, busy file,
/// read-only), kCorrupt (damaged, newer schema), plus what a method names. SQLite and PostgreSQL implement these
/// interfaces and pass the one suite in conformance.h.
namespace seedcore::store {

class GraphStore;  // graph_store.h

struct SubmitResult {
  Task task;
  bool duplicate = false;  ///< the idempotency key was known or the unique key taken: `task` is the earlier one
};

// How an execution ended. One of these goes to Finish.
struct Completed {
  json::value result;
};
struct RetryLater {
  Error error;
  std::chrono::milliseconds delay{0};  ///< already jittered by the caller
};
struct FailedForGood {
  Error error;
  json::value result;  ///< what there is of it; may be null
};
struct Held {
  std::string reason;
  /// Parked for a step that waits: queued again at once if it has been answered meanwhile.
  bool for_step = false;
};
/// The worker stops before the work began or finished; the execution does not count as an attempt.
struct HandedBack {};
/// Not now: the task waits for `delay` and comes back; the execution does not count as an attempt. More than
/// kMaxSnoozes, or for longer than kLongestSnooze in all since the task was queued, fail the task for good.
struct Snoozed {
  std::chrono::milliseconds delay{0};
  std::string reason;
};
inline constexpr int kMaxSnoozes = 1000;
inline constexpr std::chrono::hours kLongestSnooze{30 * 24};

struct NewFact {
  std::string text;
  std::vector<std::string> tags;
  json::object meta_data;
};
struct Fact {
  std::string id;
  std::string text;
  std::vector<std::string> tags;
  json::object meta_data;
  WallTime created_at;
  WallTime updated_at;
};

/// Energy ledger entry (P§6.9): `delta_e` is the measured change, never the total. balance_after = before - delta_e -
/// cost.
struct NewLedgerEntry {
  std::string scope;  ///< agent, organ or cluster
  std::string scope_id;
  std::string task_id;  ///< may be empty
  double energy_before = 0.0;
  double energy_after = 0.0;
  double delta_e = 0.0;
  double cost = 0.0;
  json::object breakdown;
  json::object meta;
};
struct LedgerEntry : NewLedgerEntry {
  std::string tx_id;
  WallTime at;
  double balance_after = 0.0;
};

struct NewIncident {
  double salience_score = 0.0;
  json::object event_data;
};
struct Incident {
  std::string incident_id;
  double salience_score = 0.0;
  json::object event_data;
  WallTime created_at;
};

/// Written in the same transaction as the task's terminal state, or not at all: an outcome that does not end the task
/// (a retry, a hold, a hand-back) writes none.
struct Effects {
  std::vector<NewFact> facts;
  std::vector<NewLedgerEntry> ledger;
  std::vector<NewIncident> incidents;
};

struct Finish {
  Lease lease;
  std::variant<Completed, RetryLater, FailedForGood, Held, HandedBack, Snoozed> outcome;
  Effects effects;
  std::vector<StepWrite> steps{};  ///< in the same transaction, whatever the outcome; refused as by WriteSteps
};

struct ClaimRequest {
  std::string owner_id;
  int limit = 1;
  std::chrono::milliseconds lease{30'000};
  std::vector<std::string> types{};   ///< empty: every type but those of `except`
  std::vector<std::string> except{};  ///< only where `types` names none
};

struct RenewResult {
  bool renewed = false;           ///< false: the lease is lost, unless the task is busy
  bool cancel_requested = false;  ///< the worker should stop; its result will be refused
  bool busy = false;              ///< another transaction has the task in its hands: ask again soon
};

/// What the holder of a lease says about its work, see CheckProgress.
struct ProgressReport {
  Lease lease;
  Progress progress;
};
struct ProgressAnswer {
  bool accepted = false;          ///< false: the lease is lost
  bool cancel_requested = false;  ///< the worker should stop; its result will be refused
};
struct StoredProgress {
  Progress progress;
  WallTime at;
};

struct TaskCounts {
  std::map<TaskStatus, std::int64_t> by_status;
  std::int64_t dead_letters = 0;
  std::optional<WallTime> oldest_queued;  ///< created_at of the oldest task that could be claimed now
};

class TaskStore {
 public:
  virtual ~TaskStore() = default;

  /// All or none. kConflict: an idempotency key known with other content. kNotFound: an unknown dependency.
  [[nodiscard]] virtual Result<std::vector<SubmitResult>> Submit(std::span<const NewTask> tasks) = 0;

  /// Up to `limit` runnable tasks, fair between tenants and by priority (turn.h has the invariants); none that a pause
  /// or a limit forbids (queue_store.h). attempts and fencing_token grow by one.
  [[nodiscard]] virtual Result<std::vector<Claim>> ClaimTasks(const ClaimRequest& request) = 0;
  [[nodiscard]] virtual Result<std::vector<RenewResult>> Renew(std::span<const Lease> leases,
                                                               std::chrono::milliseconds lease) = 0;
  /// One result per element: kLeaseLost when a newer token, a cancellation or another state stands in its way (counted
  /// as seedcore_lease_lost_total, and an event), kNotFound: no such task, kUnavailable: another transaction has it in
  /// its hands, try again. Completion releases dependants; failure for good, or a RetryLater at last, fails them.
  [[nodiscard]] virtual Result<std::vector<Result<void>>> FinishTasks(std::span<const Finish> finishes) = 0;

  /// What is known of the progress of running tasks; each report takes the place of the one before, also in the history
  /// (an event of kind progress). One answer per report; no lease is prolonged. kInvalidArgument: see CheckProgress.
  [[nodiscard]] virtual Result<std::vector<ProgressAnswer>> ReportProgress(std::span<const ProgressReport> reports) = 0;
  /// Of those among `ids` that run and have reported since their claim, by id.
  [[nodiscard]] virtual Result<std::map<std::string, StoredProgress>> ProgressOf(std::span<const std::string> ids) = 0;

  /// Running tasks whose lease has run out go to retry (or fail, attempts used up); tasks past their deadline fail;
  /// steps that nobody has answered in time fail, and their parked task is queued.
  /// Returns how many were touched; call again while it equals `limit`.
  [[nodiscard]] virtual Result<int> Reap(int limit) = 0;

  /// Terminal tasks unchanged. Everything else is cancelled at once, a running task too: its worker is told at the next
  /// renewal (cancel_requested) and its result is refused. What depends on it fails. Full id or unique prefix.
  [[nodiscard]] virtual Result<Task> Cancel(const std::string& id) = 0;
  /// created, failed, cancelled, retry -> queued, to run now: attempts, error, result, run_after and a deadline that
  /// has passed are reset; queued, running and completed unchanged. Also resumes a held task. kConflict when a
  /// dependency has failed, or an unfinished task has the same unique key. Full id or unique prefix.
  [[nodiscard]] virtual Result<Task> Run(const std::string& id) = 0;
  /// Dead letters that match -> queued, oldest first; those with a failed dependency stay. Returns how many.
  [[nodiscard]] virtual Result<int> Redrive(const TaskFilter& filter, int limit) = 0;

  /// A full id, or a prefix of at least 4 characters: kNotFound, kAmbiguous, kInvalidArgument (too short).
  [[nodiscard]] virtual Result<Task> Get(const std::string& id_or_prefix) = 0;
  /// Newest first. kInvalidArgument: not a cursor of ours.
  [[nodiscard]] virtual Result<TaskPage> List(const TaskFilter& filter, int limit, const std::string& cursor) = 0;
  [[nodiscard]] virtual Result<std::vector<TaskEvent>> Events(const std::string& task_id) = 0;
  /// Events with seq > after, in order, at most `limit`.
  [[nodiscard]] virtual Result<std::vector<TaskEvent>> EventsAfter(std::int64_t after, int limit) = 0;
  [[nodiscard]] virtual Result<TaskCounts> Counts() = 0;
  /// When the next task that waits for its run_after or for the rate of a limit becomes runnable, so that a dispatcher
  /// can sleep exactly as long.
  [[nodiscard]] virtual Result<std::optional<WallTime>> NextRunAfter() = 0;
  /// Terminal tasks finished before `before`, with their events; facts, ledger and incidents stay. Returns how many;
  /// call again while it equals `limit`, and after a pause while HasFinished says so.
  [[nodiscard]] virtual Result<int> DeleteFinished(WallTime before, int limit) = 0;
  /// Whether DeleteFinished has left any: it does not look for ever at a time. Some may be in other hands.
  [[nodiscard]] virtual Result<bool> HasFinished(WallTime before) = 0;

  /// `listener` runs after each commit that made a task runnable, or that may have moved NextRunAfter nearer, until the
  /// subscription is destroyed. It must only signal: it is called on the writer's thread.
  [[nodiscard]] virtual Subscription OnRunnable(std::function<void()> listener) = 0;
  /// The same for every commit that appended events.
  [[nodiscard]] virtual Subscription OnEvents(std::function<void()> listener) = 0;
};

struct FactQuery {
  std::string text;  ///< full-text words; empty: any
  std::string tag;   ///< empty: any
  int limit = 100;   ///< 1..1000
  int offset = 0;
};

/// kInvalidArgument names the field of a Progress that is out of range.
[[nodiscard]] Result<void> CheckProgress(const Progress& progress);
/// As the detail of an event, and back.
[[nodiscard]] std::string WriteProgress(const Progress& progress);
[[nodiscard]] Result<Progress> ReadProgress(std::string_view detail);

class FactStore {
 public:
  virtual ~FactStore() = default;
  [[nodiscard]] virtual Result<Fact> Add(const NewFact& fact) = 0;
  /// Full id or unique prefix: kNotFound, kAmbiguous.
  [[nodiscard]] virtual Result<Fact> Get(const std::string& id_or_prefix) = 0;
  /// Best match first when `text` is given, newest first otherwise.
  [[nodiscard]] virtual Result<std::vector<Fact>> Search(const FactQuery& query) = 0;
  [[nodiscard]] virtual Result<Fact> Update(const std::string& id, const std::optional<std::string>& text,
                                            const std::optional<std::vector<std::string>>& tags,
                                            const std::optional<json::object>& meta_data) = 0;
  [[nodiscard]] virtual Result<void> Delete(const std::string& id) = 0;
  [[nodiscard]] virtual Result<std::int64_t> Count() = 0;
};

class IncidentStore {
 public:
  virtual ~IncidentStore() = default;
  [[nodiscard]] virtual Result<Incident> Add(const NewIncident& incident) = 0;
  /// Highest salience first among those at or above `min_salience`.
  [[nodiscard]] virtual Result<std::vector<Incident>> Search(double min_salience, int limit) = 0;
};

class LedgerStore {
 public:
  virtual ~LedgerStore() = default;
  [[nodiscard]] virtual Result<LedgerEntry> Append(const NewLedgerEntry& entry) = 0;
  [[nodiscard]] virtual Result<double> Balance(const std::string& scope, const std::string& scope_id) = 0;
  /// Newest first.
  [[nodiscard]] virtual Result<std::vector<LedgerEntry>> Recent(int limit) = 0;
  [[nodiscard]] virtual Result<std::vector<LedgerEntry>> ForTask(const std::string& task_id) = 0;
};

/// Small named states that must survive a restart and be shared by replicas: OCPS valves, drift baselines, energy
/// weights.
class StreamStore {
 public:
  virtual ~StreamStore() = default;
  /// Null when there is none.
  [[nodiscard]] virtual Result<json::value> Load(const std::string& kind, const std::string& key) = 0;
  /// Read-modify-write in one transaction; returns the new state. `update` must be pure and quick.
  [[nodiscard]] virtual Result<json::value> Update(const std::string& kind, const std::string& key,
                                                   const std::function<json::value(const json::value&)>& update) = 0;
  /// Key and state of the first `limit` whose key is greater than `after`, by key.
  [[nodiscard]] virtual Result<std::vector<std::pair<std::string, json::value>>> List(
      const std::string& kind, int limit, const std::string& after = "") = 0;
};

enum class InstanceStatus { kStarting, kAlive, kDraining, kDead };
constexpr std::array<std::pair<InstanceStatus, std::string_view>, 4> EnumNames(InstanceStatus) {
  return {{{InstanceStatus::kStarting, "starting"},
           {InstanceStatus::kAlive, "alive"},
           {InstanceStatus::kDraining, "draining"},
           {InstanceStatus::kDead, "dead"}}};
}
struct Instance {
  std::string instance_id;
  std::string logical_id;  ///< organ or agent id
  std::string cluster_epoch;
  InstanceStatus status = InstanceStatus::kStarting;
  std::string actor_name;
  std::string serve_route;
  std::string node_id;
  std::string ip_address;
  int pid = 0;
  WallTime started_at;
  std::optional<WallTime> stopped_at;
  WallTime last_heartbeat;
  std::string service;  ///< what it serves at `address`: "energy"; empty when it serves nothing itself
  std::string address;  ///< HOST:PORT of its own listener; empty when it has none
};
struct RoutingRule {
  std::string task_type;
  std::string domain;  ///< empty: any domain
  std::string logical_id;
};

/// Who is there (C§7): the cluster epoch, live instances, organs and their agents, and the routing rules.
class RegistryStore {
 public:
  virtual ~RegistryStore() = default;
  /// Created on first use.
  [[nodiscard]] virtual Result<std::string> CurrentEpoch() = 0;
  [[nodiscard]] virtual Result<void> SetCurrentEpoch(const std::string& epoch) = 0;
  /// Registers, or refreshes the heartbeat of a known instance_id.
  [[nodiscard]] virtual Result<void> Register(const Instance& instance) = 0;
  [[nodiscard]] virtual Result<void> SetStatus(const std::string& instance_id, InstanceStatus status) = 0;
  [[nodiscard]] virtual Result<void> Beat(const std::string& instance_id) = 0;
  /// Current epoch, alive, heartbeat younger than 15 s; newest heartbeat first.
  [[nodiscard]] virtual Result<std::vector<Instance>> ActiveInstances(const std::string& logical_id) = 0;
  /// Those that serve at an address of their own, alive, heartbeat younger than 15 s; by service, then by start. Of
  /// whatever epoch: a listener outlives the organism that begins one, and registers anew in it while it goes on
  /// serving.
  [[nodiscard]] virtual Result<std::vector<Instance>> ActiveListeners() = 0;
  /// Marks instances without a heartbeat for `older_than`, and those of other epochs, dead. Returns how many. Forgets
  /// those that have been dead for a week, and all of them but the latest few thousand.
  [[nodiscard]] virtual Result<int> ExpireInstances(std::chrono::seconds older_than) = 0;

  [[nodiscard]] virtual Result<void> EnsureOrgan(const std::string& organ_id, const std::string& kind,
                                                 const json::object& props) = 0;
  [[nodiscard]] virtual Result<void> EnsureAgent(const std::string& agent_id, const std::string& organ_id,
                                                 const json::object& props) = 0;
  /// Moves the agent to another organ, or out of every organ when `organ_id` is empty.
  [[nodiscard]] virtual Result<void> MoveAgent(const std::string& agent_id, const std::string& organ_id) = 0;
  [[nodiscard]] virtual Result<void> RemoveOrgan(const std::string& organ_id) = 0;
  /// Organ id, kind, and ids of its agents.
  struct OrganRow {
    std::string organ_id;
    std::string kind;
    json::object props;
    std::vector<std::string> agent_ids;
  };
  [[nodiscard]] virtual Result<std::vector<OrganRow>> Organs() = 0;

  [[nodiscard]] virtual Result<std::vector<RoutingRule>> RoutingRules() = 0;
  /// Adds or replaces, then removes, in one transaction.
  [[nodiscard]] virtual Result<void> ChangeRoutingRules(std::span<const RoutingRule> add,
                                                        std::span<const RoutingRule> remove) = 0;
};

/// Everything one process keeps. Owns its files or connections; closing waits for writes under way.
class Store {
 public:
  virtual ~Store() = default;
  virtual TaskStore& tasks() = 0;
  virtual FactStore& facts() = 0;
  virtual IncidentStore& incidents() = 0;
  virtual LedgerStore& ledger() = 0;
  virtual StreamStore& streams() = 0;
  virtual RegistryStore& registry() = 0;
  virtual QueueStore& queues() = 0;
  virtual GraphStore& graph() = 0;
  virtual StepStore& steps() = 0;
  virtual ScheduleStore& schedules() = 0;
  virtual RuleStore& rules() = 0;

  struct Health {
    std::string backend;   ///< "sqlite" or "postgresql"
    std::string location;  ///< path or redacted DSN
    int schema_version = 0;
    std::int64_t size_bytes = 0;
    bool writable = false;
    std::string error;  ///< why not, when it is not
  };
  /// Really tries: one read and one write.
  [[nodiscard]] virtual Health CheckHealth() = 0;
};

}  // namespace seedcore::store
