#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/call_context.h"
#include "base/metrics.h"
#include "coordinator/load_meter.h"
#include "coordinator/machine_load.h"
#include "coordinator/ocps.h"
#include "coordinator/rule_book.h"
#include "queue/handler.h"
#include "service/cognitive.h"
#include "service/coordinator_types.h"
#include "service/event_stream.h"
#include "service/operation.h"
#include "service/peer.h"
#include "service/predicate_messages.h"
#include "store/store.h"

/// The Coordinator service, /pipeline: decides how each task is executed, has it executed, and triages anomalies
/// (C§2.3, C§4).
namespace seedcore::service {

/// A task of this type brings its plan in params.steps.
inline constexpr std::string_view kWorkflowType = "workflow";

struct CoordinatorServiceSettings {
  coordinator::OcpsSettings ocps;
  int max_plan_steps = 16;                             ///< MAX_PLAN_STEPS
  int max_parallel_steps = 4;                          ///< threads of one plan
  int max_inflight_escalations = 64;                   ///< COGNITIVE_MAX_INFLIGHT
  std::chrono::milliseconds ml_timeout{5'000};         ///< of one call; the task's deadline holds as well
  std::chrono::milliseconds cognitive_timeout{8'000};  ///< likewise
  std::chrono::milliseconds organism_timeout{5'000};   ///< of a route look-up; executions have the organ's time limit
  std::chrono::milliseconds fast_path_latency_slo{1'000};  ///< FAST_PATH_LATENCY_SLO_MS: told to the planner
  std::chrono::milliseconds retry_delay{10'000};           ///< of a task that a rule sends back
};

/// What a rule book reads: the rules of the store, before the file.
[[nodiscard]] coordinator::RuleSources RuleSourcesOf(store::RuleStore& rules, std::filesystem::path file = {});

struct CoordinatorDependencies {
  Env& env;
  Metrics& metrics;
  store::StreamStore& streams;         ///< drift valves
  store::StepStore* steps = nullptr;   ///< where plans are kept; null: nowhere
  queue::EventFeed* events = nullptr;  ///< null: StreamEvents is unavailable
  store::IncidentStore& incidents;
  coordinator::RuleBook& rules;
  store::RuleStore& shared_rules;  ///< where the book's shared rules are
  Peer<MlService> ml;
  Peer<CognitiveService> cognitive;
  Peer<OrganismService> organism;
  CoordinatorServiceSettings settings;
};

/// Thread-safe; its dependencies outlive it. A call ends by its deadline.
class CoordinatorService {
 public:
  explicit CoordinatorService(CoordinatorDependencies dependencies);
  ~CoordinatorService();
  CoordinatorService(const CoordinatorService&) = delete;
  CoordinatorService& operator=(const CoordinatorService&) = delete;

  /// Routes one task and has it executed. A task that failed is a response with success=false and the status of its
  /// error; only a cancelled call or one past its deadline before the work began is an error.
  Result<RouteResponse> RouteAndExecute(const RouteRequest& request, const CallContext& call);
  /// The same for a stored task, as the dispatcher's handler. Effects of the fast path are returned, to be written
  /// together with the task's completion; each step of a plan writes its own with its checkpoint, the last one with the
  /// completion.
  queue::TaskOutcome HandleTask(const store::Task& task, const CallContext& call);

  /// Finds anomalies in a series, reasons about them where that is warranted, and decides. Within a task it uses the
  /// drift measured for that task.
  Result<AnomalyTriageResponse> AnomalyTriage(const AnomalyTriageRequest& request, const CallContext& call);

  /// Every change of the store's tasks, whoever works on them.
  Result<void> StreamEvents(const EventsRequest& request, const CallContext& call,
                            const std::shared_ptr<net::EventStream>& stream);
  Result<CoordinatorMetrics> GetMetrics(const Empty& request, const CallContext& call);
  Result<PredicateStatus> PredicatesStatus(const Empty& request, const CallContext& call);
  Result<PredicateConfigResponse> PredicatesConfig(const Empty& request, const CallContext& call);
  /// Loads the rules again. Rules with an error are refused with its line, and those in force stay.
  Result<PredicateReloadResponse> ReloadPredicates(const Empty& request, const CallContext& call);
  /// Puts rules into the store, and in force here; other replicas follow within about a second. What is in the store
  /// already makes no new version. kInvalidArgument, kMalformed: the rules have an error, whose line is in the path;
  /// kConflict: the newest version is not the expected one.
  Result<PredicateVersionInfo> PutPredicates(const PredicatesPut& request, const CallContext& call);
  /// Each replica goes back to its rule file, or to the built-in rules. Refused as above when this one's file has an
  /// error.
  Result<PredicateVersionInfo> WithdrawPredicates(const PredicatesWithdraw& request, const CallContext& call);
  Result<PredicateVersionList> PredicateVersions(const Empty& request, const CallContext& call);
  Result<PredicateVersionText> PredicateVersion(const PredicateVersionNumber& request, const CallContext& call);
  Result<CoordinatorHealth> Health(const Empty& request, const CallContext& call);

  /// Live measurements, for the Energy service: shares of the fast path and of escalations among recent decisions;
  /// nullopt before any.
  [[nodiscard]] std::optional<std::pair<double, double>> RoutingShares() const;

  struct Impl;

 private:
  Result<PredicateVersionInfo> ShareRules(const store::NewRules& rules, std::optional<std::int64_t> expected);
  /// "ok", or what is wrong with the rules.
  [[nodiscard]] std::string RulesVerdict() const;

  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] OperationTable<CoordinatorService> CoordinatorOperations();

}  // namespace seedcore::service
