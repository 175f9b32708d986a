#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "organism/executor.h"
#include "organism/vitals.h"
#include "service/operation.h"
#include "service/organism_messages.h"

/// What the host of an organ answers at its own listener: the work of the organ's agents, for the organism that keeps
/// their books (organism/organ_hosts.h). Not part of the public API: the cluster token is what opens it.
namespace seedcore::service {

struct OrganismVitals {
  bool initialized = false;
  int organs = 0;
  int agents = 0;
  int running_tasks = 0;
  int free_slots = 0;
  std::vector<std::string> problems;
  static constexpr auto kFields = Fields(
      Required("initialized", &OrganismVitals::initialized, "Whether the organism runs"),
      Required("organs", &OrganismVitals::organs, "Organs"), Required("agents", &OrganismVitals::agents, "Agents"),
      Required("running_tasks", &OrganismVitals::running_tasks, "Executions in progress"),
      Required("free_slots", &OrganismVitals::free_slots, "Executions that could start now"),
      Sparse("problems", &OrganismVitals::problems, "What is wrong"));
};

struct OrganWork {
  std::string organ_id;
  std::string agent_id;
  OrganTask task;
  OrganismVitals organism;
  static constexpr auto kFields = Fields(Required("organ_id", &OrganWork::organ_id, "The organ"),
                                         Required("agent_id", &OrganWork::agent_id, "The agent that was chosen"),
                                         Required("task", &OrganWork::task, "The task"),
                                         Required("organism", &OrganWork::organism, "How the organism is"));
};

/// The outcome of the executor. An error of the call instead means that it did not run.
struct OrganWorkDone {
  std::string host;
  bool success = false;
  json::value result;
  std::string error;
  std::string error_code;
  std::string error_path;
  double quality = 0.0;
  int mem_hits = 0;
  TaskEffects effects;
  static constexpr auto kFields = Fields(
      Required("host", &OrganWorkDone::host, "Who did it"), Required("success", &OrganWorkDone::success, "Verdict"),
      Optional("result", &OrganWorkDone::result, "What the executor answered"),
      Sparse("error", &OrganWorkDone::error, "Why it failed"),
      Sparse("error_code", &OrganWorkDone::error_code, "Code of that"),
      Sparse("error_path", &OrganWorkDone::error_path, "What it is about"),
      Required("quality", &OrganWorkDone::quality, "0 to 1"),
      Required("mem_hits", &OrganWorkDone::mem_hits, "Stored records that were used"),
      Optional("effects", &OrganWorkDone::effects, "What is to be written with the end of the task"));
};

struct OrganHostHealth {
  std::string status;
  std::string organ_id;
  std::string host;
  int running = 0;
  std::int64_t executed = 0;
  static constexpr auto kFields =
      Fields(Required("status", &OrganHostHealth::status, "healthy"),
             Required("organ_id", &OrganHostHealth::organ_id, "The organ"),
             Required("host", &OrganHostHealth::host, "Name in the registry"),
             Required("running", &OrganHostHealth::running, "Executions in progress"),
             Required("executed", &OrganHostHealth::executed, "Executions that have ended, since the start"));
};

/// Runs executors for one organ. Holds no state of agents. Thread-safe.
class OrganService {
 public:
  /// `executors` and `env` outlive it. `host`: its name in the registry.
  OrganService(std::string organ_id, std::string host, const organism::ExecutorRegistry& executors, Env& env)
      : organ_id_(std::move(organ_id)), host_(std::move(host)), executors_(executors), env_(env) {}

  /// kNotFound: this host is of another organ. kNonRetryable: no executor for the type.
  [[nodiscard]] Result<OrganWorkDone> Execute(const OrganWork& work, const CallContext& call);
  [[nodiscard]] Result<OrganHostHealth> Health(const Empty& request, const CallContext& call);

  /// How the organism was, as whoever sent the newest work had it.
  [[nodiscard]] organism::Vitals vitals() const;
  [[nodiscard]] int running() const { return running_; }
  [[nodiscard]] std::int64_t executed() const { return executed_; }

 private:
  const std::string organ_id_;
  const std::string host_;
  const organism::ExecutorRegistry& executors_;
  Env& env_;
  std::atomic<int> running_ = 0;
  std::atomic<std::int64_t> executed_ = 0;
  mutable std::mutex mutex_;  // guards vitals_
  organism::Vitals vitals_;
};

[[nodiscard]] OperationTable<OrganService> OrganOperations();

/// The request for a piece of work.
[[nodiscard]] OrganWork WorkOf(const std::string& organ_id, const std::string& agent_id, const organism::TaskSpec& task,
                               organism::Vitals vitals, const CallContext& call);
[[nodiscard]] organism::ExecutionResult ResultOf(OrganWorkDone done);

}  // namespace seedcore::service
