#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/metrics.h"
#include "organism/config.h"
#include "organism/evolution.h"
#include "organism/executor.h"
#include "organism/organ_hosts.h"
#include "organism/population.h"
#include "organism/presence.h"
#include "organism/routing.h"
#include "store/store.h"

/// Organs, their agents, and what they do with a task.
namespace seedcore::organism {

struct OrganismSettings {
  bool rolling_init = false;       ///< SEEDCORE_ROLLING_INIT: keep the cluster epoch at Initialize
  int max_waiting = 256;           ///< tasks that may wait for a free agent
  std::chrono::seconds drain{10};  ///< how long Shutdown waits for executions under way
  PresenceSettings presence;
  RoutingSettings routing;
  EvolutionSettings evolution;
};

/// What one execution did.
struct Execution {
  bool success = false;        ///< the agent's verdict, and so the task's
  std::optional<Error> error;  ///< set exactly when !success
  json::value result;
  double quality = 0.0;
  int mem_hits = 0;
  std::string organ_id;
  std::string agent_id;
  std::string host;  ///< of the organ, which did the work; empty: it was done here
  double selection_score = 0.0;
  int candidates = 0;
  std::chrono::nanoseconds latency{0};
  Population::Accounted accounted;
  store::Effects effects;  ///< of the executor, plus the ledger entry of the measured change of energy
};

/// The parts that need the outside world are given; see `executors/` for what tasks can be executed. Thread-safe.
class Organism {
 public:
  /// The references must outlive it. Nothing runs until Initialize.
  Organism(OrganismConfig config, OrganismSettings settings, Env& env, store::Store& store, Metrics& metrics);
  ~Organism();
  Organism(const Organism&) = delete;
  Organism& operator=(const Organism&) = delete;

  /// Where executors are registered: the built-in ones by RegisterExecutors, others by later rooms.
  [[nodiscard]] ExecutorRegistry& executors() { return executors_; }
  /// From now on work is done by whoever hosts its organ, where somebody does. Before Initialize; `hosts` outlives
  /// this.
  void WorkOn(OrganHosts& hosts) { hosts_ = &hosts; }
  /// Null: all work is done here.
  [[nodiscard]] const OrganHosts* hosts() const { return hosts_; }
  [[nodiscard]] RoutingDirectory& routing() { return routing_; }
  [[nodiscard]] const Population& population() const { return population_; }
  [[nodiscard]] const Presence& presence() const { return presence_; }

  /// Makes the organs and agents, records and registers them, starts the heartbeat. False: it was initialized already.
  /// After an error nothing runs and the call may be repeated.
  [[nodiscard]] Result<bool> Initialize();
  /// Refuses new tasks, waits for those under way, marks the organs' instances dead. False: there was nothing to do.
  /// kDeadlineExceeded: something still runs; it will finish, but the organs are gone.
  [[nodiscard]] Result<bool> Shutdown(const CallContext& call);
  [[nodiscard]] bool IsInitialized() const { return initialized_.load(); }

  /// Runs the task on the best agent of the organ, on the calling thread. An error means that it did not run:
  /// kUnavailable (not initialized, no agent capable enough), kNotFound (organ, agent), kResourceExhausted (all busy),
  /// kNonRetryable (no executor for the type). What went wrong in the run is in the Execution.
  [[nodiscard]] Result<Execution> Execute(const std::string& organ_id, const TaskSpec& task, const CallContext& call);

  /// An organ drawn at random among those with a free agent; kResourceExhausted when there is none.
  [[nodiscard]] Result<std::string> RandomOrgan();

  /// Writes effects that no task completion will carry.
  [[nodiscard]] Result<void> ApplyEffects(const store::Effects& effects);

  /// Weighs a change of structure and makes it if it pays (or is forced). One at a time.
  [[nodiscard]] Result<EvolutionOutcome> Evolve(const EvolutionRequest& request, const CallContext& call);

 private:
  Result<void> CreateOrgans();
  void RemoveOrgans();
  Result<void> DropEvolvedOrgans();
  Result<void> CheckRunning() const;
  /// At a host of the organ, or here.
  OrganHosts::Done Run(const Executor& executor, const Population::Agent& agent, const std::string& organ_id,
                       const TaskSpec& task, const CallContext& call);
  struct TypeMetrics {
    Counter* successes;
    Counter* failures;
    Histogram* seconds;
  };
  void Count(const Execution& execution, const std::string& type);
  TypeMetrics MetricsOf(const std::string& type);
  // organism_evolution.cc
  Result<std::vector<store::RoutingRule>> RulesToRedirect(const EvolutionRequest& request, const EvolutionPlan& plan,
                                                          const CallContext& call);
  Result<void> ApplyToRegistry(const EvolutionPlan& plan, const std::vector<store::RoutingRule>& redirected,
                               const CallContext& call);
  void ApplyToPopulation(const EvolutionPlan& plan);

  const OrganismConfig config_;
  const OrganismSettings settings_;
  Env& env_;
  store::Store& store_;
  Metrics& metrics_;
  Gauge& energy_gauge_;

  OrganHosts* hosts_ = nullptr;
  ExecutorRegistry executors_;
  Population population_;
  Presence presence_;
  RoutingDirectory routing_;

  std::mutex structure_mutex_;  // one Initialize, Shutdown or Evolve at a time; no execution waits for it
  std::atomic<bool> initialized_ = false;

  std::mutex metrics_mutex_;  // guards type_metrics_; types are those of registered executors
  std::map<std::string, TypeMetrics> type_metrics_;
};

}  // namespace seedcore::organism
