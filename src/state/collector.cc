#include "state/collector.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace seedcore::state {
namespace {

constexpr std::string_view kNoSource = "no source is registered in this process";

using Agents = std::map<std::string, AgentSnapshot>;

OrganState Summarize(const std::vector<std::string>& members, const Agents& agents) {
  OrganState organ;
  std::vector<RoleProbabilities> roles;
  for (const std::string& id : members) {
    const auto agent = agents.find(id);
    if (agent == agents.end()) continue;
    const AgentSnapshot& snapshot = agent->second;
    if (organ.h.empty()) organ.h.assign(snapshot.h.size(), 0.0);
    const std::size_t width = std::min(organ.h.size(), snapshot.h.size());
    for (std::size_t i = 0; i < width; ++i) organ.h[i] += snapshot.h[i];
    organ.P.push_back({snapshot.p.E, snapshot.p.S, snapshot.p.O});
    roles.push_back(snapshot.p);
  }
  if (roles.empty()) return organ;
  for (double& value : organ.h) value /= static_cast<double>(roles.size());
  const RoleProbabilities mean = AggregateRoles(roles);
  organ.P_agg = {mean.E, mean.S, mean.O};
  return organ;
}

/// Mean of the embeddings, weighted by c (1 + mem_util) (P§7); empty when no weight is positive.
std::vector<double> SystemEmbedding(const Agents& agents) {
  std::vector<double> mean;
  double total = 0.0;
  for (const auto& [id, agent] : agents) {
    const double weight = agent.c * (1.0 + agent.mem_util);
    if (!(weight > 0.0)) continue;
    if (mean.empty()) mean.assign(agent.h.size(), 0.0);
    const std::size_t width = std::min(mean.size(), agent.h.size());
    for (std::size_t i = 0; i < width; ++i) mean[i] += weight * agent.h[i];
    total += weight;
  }
  for (double& value : mean) value /= total;
  return mean;
}

/// Mean of used/cap over the tiers that report both.
std::optional<double> Utilization(const MemoryState& memory) {
  double sum = 0.0;
  int tiers = 0;
  for (const json::object* tier : {&memory.ma, &memory.mw, &memory.mlt, &memory.mfb}) {
    const json::value* used = tier->if_contains("used");
    const json::value* cap = tier->if_contains("cap");
    if (cap == nullptr) cap = tier->if_contains("capacity");
    if (used == nullptr || cap == nullptr || !used->is_number() || !cap->is_number()) continue;
    const double capacity = JsonToDouble(*cap);
    if (!(capacity > 0.0)) continue;
    sum += JsonToDouble(*used) / capacity;
    ++tiers;
  }
  if (tiers == 0) return std::nullopt;
  return sum / tiers;
}

/// Runs one source; notes why when there is nothing.
template <class T>
std::optional<T> Ask(const std::function<Result<T>(const CallContext&)>& source, std::string_view part,
                     const CallContext& call, std::vector<MissingPart>& missing) {
  if (!source) {
    missing.push_back({std::string(part), std::string(kNoSource)});
    return std::nullopt;
  }
  auto value = source(call);
  if (value) return std::move(*value);
  missing.push_back({std::string(part), ToString(value.error())});
  return std::nullopt;
}

bool HasFigures(const HostState& host) {
  return host.cpu_percent || host.memory_percent || host.disk_percent || host.load_1m || host.process_rss_bytes;
}

}  // namespace

Result<CollectedState> StateCollector::Collect(const StateQuery& query, const CallContext& call) const {
  CollectedState collected;
  UnifiedState& state = collected.state;
  std::vector<MissingPart>& missing = collected.missing;
  bool anything = false;

  auto agents = Ask(source_.agents, "agents", call, missing);
  anything |= agents.has_value();
  // Organs and the system's embedding are about all agents, whichever of them the caller asked to see.
  if (query.include_organs) {
    auto organs = Ask(source_.organs, "organs", call, missing);
    anything |= organs.has_value();
    if (organs) {
      for (const auto& [id, members] : *organs) state.organs[id] = Summarize(members, agents ? *agents : Agents{});
    }
  }
  if (query.include_system) {
    auto system = Ask(source_.system, "system.patterns", call, missing);
    SystemState merged = system ? std::move(*system) : SystemState{};
    if (agents && merged.h_hgnn.empty()) merged.h_hgnn = SystemEmbedding(*agents);
    if (source_.host) {
      const HostState host = source_.host();
      if (HasFigures(host)) {
        merged.host = host;
      } else {
        missing.push_back({"system.host", "the operating system gives no figures"});
      }
    } else {
      missing.push_back({"system.host", std::string(kNoSource)});
    }
    if (system || merged.host || !merged.h_hgnn.empty()) {
      anything |= system.has_value() || merged.host.has_value();
      state.system = std::move(merged);
    }
  }
  if (query.include_memory) {
    state.memory = Ask(source_.memory, "memory", call, missing);
    anything |= state.memory.has_value();
    if (state.memory && !state.memory->util_scalar) state.memory->util_scalar = Utilization(*state.memory);
  }

  if (agents && query.agent_ids) {
    for (const std::string& id : *query.agent_ids) {
      auto agent = agents->find(id);
      if (agent == agents->end()) return Fail(ErrorCode::kNotFound, "no agent has the id " + id, "agent_ids");
      state.agents.insert(*agent);
    }
  } else if (agents) {
    state.agents = std::move(*agents);
  }
  if (!anything) {
    return Fail(ErrorCode::kUnavailable, "no part of the state is available: " +
                                             (missing.empty() ? std::string(kNoSource) : missing.front().reason));
  }
  return collected;
}

std::map<std::string, bool> StateCollector::Sources() const {
  return {{"agents", static_cast<bool>(source_.agents)},
          {"organs", static_cast<bool>(source_.organs)},
          {"system", source_.system || source_.host},
          {"memory", static_cast<bool>(source_.memory)}};
}

}  // namespace seedcore::state
