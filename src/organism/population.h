#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "organism/agent_state.h"
#include "organism/config.h"
#include "organism/energy_model.h"
#include "organism/executor.h"

namespace seedcore::organism {

/// One live agent at one moment.
struct AgentSnapshot {
  std::string agent_id;
  std::string organ_id;
  AgentState state;
  int running = 0;
  int capacity = 0;
};

struct OrganSnapshot {
  std::string organ_id;
  std::string type;
  std::vector<std::string> agent_ids;
  int running = 0;
  int capacity = 0;
};

/// The live organs and agents: who exists, who is busy, and what each has become. Keeps the unified energy measured at
/// every change, so that the change one execution makes can be told apart from all others, and the changes add up.
/// Thread-safe; nothing here does I/O.
class Population {
 public:
  /// At most `max_waiting` callers wait for a free agent at a time.
  Population(Env& env, int max_waiting) : env_(env), max_waiting_(max_waiting) {}

  struct Agent {
    std::string id;
    std::string organ_id;
    int running = 0;
    int capacity = 0;
    AgentState state;
  };
  /// A slot of an agent, taken for one execution. Must go back with Finish or Release.
  struct Slot {
    std::shared_ptr<Agent> agent;
    double score = 0.0;  ///< selection score at that moment
    int candidates = 0;  ///< agents that were free and capable enough
  };
  struct Accounted {
    AgentState state;  ///< after the execution
    energy::EnergyTerms before;
    energy::EnergyTerms after;
  };

  /// kConflict when the organ exists.
  [[nodiscard]] Result<void> AddOrgan(const std::string& organ_id, const std::string& type);
  /// Adds a new agent; both must be sound: the organ exists, the agent does not.
  void AddAgent(const std::string& agent_id, const std::string& organ_id, int capacity);
  /// Moves agents between organs, then removes organs with the agents that are left in them. Executions under way go
  /// on; agents keep their state.
  void Rearrange(const std::map<std::string, std::string>& organ_of_agent, const std::vector<std::string>& remove);
  void Clear();

  /// Takes a slot of the best agent of the organ for `task`, waiting for one to become free until the call's deadline.
  /// kNotFound: organ or agent unknown. kUnavailable: no agent is capable enough. kResourceExhausted: all agents busy
  /// until the deadline, or too many callers waiting.
  [[nodiscard]] Result<Slot> Acquire(const std::string& organ_id, const TaskSpec& task, const CallContext& call);
  /// Gives the slot back and lets the agent learn from what it did.
  [[nodiscard]] Accounted Finish(const Slot& slot, const Experience& experience);
  /// Gives the slot back; the agent learns nothing.
  [[nodiscard]] Accounted Release(const Slot& slot);
  /// Waits until nothing runs, at most until the call's deadline. Returns whether that is so.
  bool AwaitIdle(const CallContext& call);

  [[nodiscard]] std::vector<AgentSnapshot> Agents() const;  ///< by id
  [[nodiscard]] std::vector<OrganSnapshot> Organs() const;  ///< by id
  [[nodiscard]] std::optional<OrganSnapshot> Organ(const std::string& organ_id) const;
  /// Organs that could start an execution now.
  [[nodiscard]] std::vector<std::string> FreeOrgans() const;
  [[nodiscard]] energy::EnergyTerms Energy() const;

 private:
  struct OrganEntry {
    std::string type;
    std::map<std::string, std::shared_ptr<Agent>> agents;
  };

  Result<std::optional<Slot>> TryAcquire(const std::string& organ_id, const TaskSpec& task);
  energy::EnergyTerms Measure() const;
  OrganSnapshot Describe(const std::string& organ_id, const OrganEntry& organ) const;

  Env& env_;
  const int max_waiting_;

  mutable std::mutex mutex_;  // guards the rest, and every Agent
  std::condition_variable_any changed_;
  std::map<std::string, OrganEntry> organs_;
  energy::EnergyTerms energy_;  // of the states as they are
  int waiting_ = 0;
  int running_ = 0;
};

}  // namespace seedcore::organism
