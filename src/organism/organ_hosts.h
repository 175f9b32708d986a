#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "organism/executor.h"
#include "organism/vitals.h"

namespace seedcore::organism {

/// Processes that do the work of an organ's agents for the organism.
///
/// What an organ *is* stays with the organism: its agents, what they have learned, who of them is busy, the energy of
/// all. The organism chooses the agent, holds its slot for the time of the work, and learns from the outcome, wherever
/// that was done. A host runs the executor and keeps nothing: it may die, be replaced, or be there several times, and
/// nothing has to be moved or merged. So it holds that
///   * an agent learns once from an execution, from the one whose outcome the organism took;
///   * effects are in the outcome, and are written once, with the end of the task, under its lease and fencing token;
///   * work whose outcome is lost with its host is done again, under the same idempotency key, like every other
///   attempt.
/// Several organisms on one store each keep books of their own, as without hosts; a host works for all of them and
/// bounds what it takes on by its own queue. Thread-safe.
class OrganHosts {
 public:
  OrganHosts() = default;
  virtual ~OrganHosts() = default;
  OrganHosts(const OrganHosts&) = delete;
  OrganHosts& operator=(const OrganHosts&) = delete;

  struct Work {
    const std::string& organ_id;
    const std::string& agent_id;
    const TaskSpec& task;
    const std::function<Vitals()>& vitals;  ///< of the organism, for executors that report them
  };
  struct Done {
    ExecutionResult result;
    std::string host;  ///< who did it; empty when nobody has answered in time
  };
  /// Has the work done, by the call's deadline. nullopt: nobody hosts the organ, took the work, or lived to answer, and
  /// there is time left: do it here.
  [[nodiscard]] virtual std::optional<Done> Execute(const Work& work, const CallContext& call) = 0;

  struct Host {
    std::string name;
    std::string address;
  };
  /// Those that are alive as far as is known.
  [[nodiscard]] virtual std::vector<Host> Of(const std::string& organ_id) const = 0;
};

}  // namespace seedcore::organism
