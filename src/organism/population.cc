#include "organism/population.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "organism/selection.h"

namespace seedcore::organism {

Result<void> Population::AddOrgan(const std::string& organ_id, const std::string& type) {
  const std::lock_guard lock(mutex_);
  const auto [position, added] = organs_.try_emplace(organ_id, OrganEntry{type, {}});
  if (added) return {};
  return Fail(ErrorCode::kConflict, fmt::format("there is an organ called {} already", position->first));
}

void Population::AddAgent(const std::string& agent_id, const std::string& organ_id, int capacity) {
  {
    const std::lock_guard lock(mutex_);
    const auto organ = organs_.find(organ_id);
    SEEDCORE_CHECK(organ != organs_.end(), "agents are added to organs that exist");
    auto agent = std::make_shared<Agent>();
    agent->id = agent_id;
    agent->organ_id = organ_id;
    agent->capacity = capacity;
    agent->state.roles = RolePrior(organ->second.type);
    const bool added = organ->second.agents.try_emplace(agent_id, std::move(agent)).second;
    SEEDCORE_CHECK(added, "agent ids are unique");
    energy_ = Measure();
  }
  changed_.notify_all();
}

void Population::Rearrange(const std::map<std::string, std::string>& organ_of_agent,
                           const std::vector<std::string>& remove) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [agent_id, target] : organ_of_agent) {
      SEEDCORE_CHECK(organs_.contains(target), "agents move to organs that exist");
      for (auto& [organ_id, organ] : organs_) {
        if (organ_id == target) continue;
        auto node = organ.agents.extract(agent_id);
        if (node.empty()) continue;
        node.mapped()->organ_id = target;
        organs_[target].agents.insert(std::move(node));
        break;
      }
    }
    for (const std::string& organ_id : remove) organs_.erase(organ_id);
    energy_ = Measure();
  }
  changed_.notify_all();
}

void Population::Clear() {
  {
    const std::lock_guard lock(mutex_);
    organs_.clear();
    energy_ = Measure();
  }
  changed_.notify_all();
}

Result<std::optional<Population::Slot>> Population::TryAcquire(const std::string& organ_id, const TaskSpec& task) {
  const auto organ = organs_.find(organ_id);
  if (organ == organs_.end()) {
    std::vector<std::string> known;
    for (const auto& [id, entry] : organs_) known.push_back(id);
    return Fail(ErrorCode::kNotFound, fmt::format("no organ called '{}'; organs: {}", organ_id, fmt::join(known, ", ")),
                "organ_id");
  }
  std::vector<std::shared_ptr<Agent>> agents;
  std::vector<Candidate> candidates;
  double best_capability = 0.0;
  int free = 0;
  for (const auto& [id, agent] : organ->second.agents) {
    if (!task.agent_id.empty() && id != task.agent_id) continue;
    const double capability = agent->state.capability;
    best_capability = std::max(best_capability, capability);
    agents.push_back(agent);
    candidates.push_back({id, SelectionScore(agent->state), capability, agent->running, agent->capacity});
    if (agent->running < agent->capacity && capability >= task.required_capability) ++free;
  }
  if (agents.empty()) {
    if (!task.agent_id.empty()) {
      return Fail(ErrorCode::kNotFound, fmt::format("organ {} has no agent called '{}'", organ_id, task.agent_id),
                  "task.agent_id");
    }
    return Fail(ErrorCode::kUnavailable, fmt::format("organ {} has no agents", organ_id));
  }
  if (best_capability < task.required_capability) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("no agent of organ {} has a capability of {:.3f}; the best has {:.3f}", organ_id,
                            task.required_capability, best_capability),
                "task.required_capability");
  }
  const auto best = SelectAgent(candidates, task.required_capability);
  if (!best) return std::optional<Slot>();
  ++agents[*best]->running;
  ++running_;
  return std::optional(Slot{agents[*best], candidates[*best].score, free});
}

Result<Population::Slot> Population::Acquire(const std::string& organ_id, const TaskSpec& task,
                                             const CallContext& call) {
  std::unique_lock lock(mutex_);
  Result<std::optional<Slot>> slot = TryAcquire(organ_id, task);
  if (!slot) return std::unexpected(std::move(slot).error());
  if (*slot) return std::move(**slot);

  if (waiting_ >= max_waiting_) {
    return Fail(ErrorCode::kResourceExhausted, fmt::format("{} tasks wait for a free agent already", waiting_));
  }
  ++waiting_;
  const bool done = env_.WaitUntil(lock, changed_, call.deadline, call.stop, [&] {
    // Asked again after it held, this must not take a second slot.
    if (slot && !slot->has_value()) slot = TryAcquire(organ_id, task);
    return !slot || slot->has_value();
  });
  --waiting_;
  if (!slot) return std::unexpected(std::move(slot).error());
  if (done) return std::move(**slot);
  if (call.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled while waiting for a free agent");
  return Fail(ErrorCode::kResourceExhausted,
              fmt::format("every agent of organ {} was busy until the deadline", organ_id));
}

Population::Accounted Population::Finish(const Slot& slot, const Experience& experience) {
  Accounted accounted;
  {
    const std::lock_guard lock(mutex_);
    --slot.agent->running;
    --running_;
    accounted.before = energy_;
    slot.agent->state = Learn(slot.agent->state, experience);
    energy_ = Measure();
    accounted.after = energy_;
    accounted.state = slot.agent->state;
  }
  changed_.notify_all();
  return accounted;
}

Population::Accounted Population::Release(const Slot& slot) {
  Accounted accounted;
  {
    const std::lock_guard lock(mutex_);
    --slot.agent->running;
    --running_;
    accounted = {slot.agent->state, energy_, energy_};
  }
  changed_.notify_all();
  return accounted;
}

bool Population::AwaitIdle(const CallContext& call) {
  std::unique_lock lock(mutex_);
  return env_.WaitUntil(lock, changed_, call.deadline, call.stop, [&] { return running_ == 0; });
}

energy::EnergyTerms Population::Measure() const {
  std::vector<EnergyMember> members;
  for (const auto& [organ_id, organ] : organs_) {
    for (const auto& [agent_id, agent] : organ.agents) members.push_back({organ_id, &agent->state});
  }
  return MeasureEnergy(members, Pairing::kSelf);
}

energy::EnergyTerms Population::Energy() const {
  const std::lock_guard lock(mutex_);
  return energy_;
}

std::vector<AgentSnapshot> Population::Agents() const {
  std::vector<AgentSnapshot> agents;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [organ_id, organ] : organs_) {
      for (const auto& [agent_id, agent] : organ.agents) {
        agents.push_back({agent_id, organ_id, agent->state, agent->running, agent->capacity});
      }
    }
  }
  std::ranges::sort(agents, {}, &AgentSnapshot::agent_id);
  return agents;
}

OrganSnapshot Population::Describe(const std::string& organ_id, const OrganEntry& organ) const {
  OrganSnapshot snapshot{.organ_id = organ_id, .type = organ.type, .agent_ids = {}};
  for (const auto& [agent_id, agent] : organ.agents) {
    snapshot.agent_ids.push_back(agent_id);
    snapshot.running += agent->running;
    snapshot.capacity += agent->capacity;
  }
  return snapshot;
}

std::vector<OrganSnapshot> Population::Organs() const {
  const std::lock_guard lock(mutex_);
  std::vector<OrganSnapshot> organs;
  for (const auto& [organ_id, organ] : organs_) organs.push_back(Describe(organ_id, organ));
  return organs;
}

std::optional<OrganSnapshot> Population::Organ(const std::string& organ_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = organs_.find(organ_id);
  if (found == organs_.end()) return std::nullopt;
  return Describe(found->first, found->second);
}

std::vector<std::string> Population::FreeOrgans() const {
  std::vector<std::string> free;
  for (const OrganSnapshot& organ : Organs()) {
    if (organ.running < organ.capacity) free.push_back(organ.organ_id);
  }
  return free;
}

}  // namespace seedcore::organism
