#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_binding.h"

/// What the whole system looks like at one moment: agents, organs, memory tiers and the system itself. The JSON names
/// are those of the wire. Everything here is a plain value; collector.h fills it from live parts.
namespace seedcore::state {

/// Probabilities of the three roles. The order everywhere in SeedCore is E, S, O: E (employed, does the known work),
/// S (scout or specialist, explores), O (onlooker, waits).
struct RoleProbabilities {
  double E = 0.0;
  double S = 0.0;
  double O = 0.0;
  static constexpr auto kFields = Fields(Optional("E", &RoleProbabilities::E, "Probability of role E (employed)"),
                                         Optional("S", &RoleProbabilities::S, "Probability of role S (scout)"),
                                         Optional("O", &RoleProbabilities::O, "Probability of role O (onlooker)"));
  friend bool operator==(const RoleProbabilities&, const RoleProbabilities&) = default;
};

/// One agent as it last reported itself.
struct AgentSnapshot {
  std::vector<double> h;
  RoleProbabilities p;
  double c = 0.5;
  double mem_util = 0.0;
  std::string lifecycle = "Employed";
  static constexpr auto kFields =
      Fields(Required("h", &AgentSnapshot::h, "State embedding; the same length for every agent"),
             Required("p", &AgentSnapshot::p, "Role probabilities; projected onto the simplex where used"),
             Optional("c", &AgentSnapshot::c, "Capability, 0 to 1"),
             Optional("mem_util", &AgentSnapshot::mem_util, "Memory utility, 0 to 1"),
             Optional("lifecycle", &AgentSnapshot::lifecycle, "Scout, Employed, Specialist, Onlooker or Archived"));
};

/// One organ: the mean of its agents, and their roles one per row.
struct OrganState {
  std::vector<double> h;
  std::vector<std::vector<double>> P;
  std::vector<double> P_agg;
  std::vector<double> v_pso;
  static constexpr auto kFields = Fields(Optional("h", &OrganState::h, "Mean of the agents' embeddings"),
                                         Optional("P", &OrganState::P, "Role probabilities, one row E, S, O per agent"),
                                         Sparse("P_agg", &OrganState::P_agg, "Mean of the rows of P on the simplex"),
                                         Sparse("v_pso", &OrganState::v_pso, "Velocity of a role optimizer"));
};

/// The machine this process runs on, measured.
struct HostState {
  std::optional<double> cpu_percent;
  std::optional<double> memory_percent;
  std::optional<double> disk_percent;
  std::optional<double> load_1m;
  std::optional<double> process_rss_bytes;
  static constexpr auto kFields =
      Fields(Sparse("cpu_percent", &HostState::cpu_percent, "Share of CPU time in use since the last sample, 0 to 100"),
             Sparse("memory_percent", &HostState::memory_percent, "Memory not available, 0 to 100"),
             Sparse("disk_percent", &HostState::disk_percent, "Used share of the data file system, 0 to 100"),
             Sparse("load_1m", &HostState::load_1m, "Load average over one minute"),
             Sparse("process_rss_bytes", &HostState::process_rss_bytes, "Resident memory of this process, bytes"));
};

struct SystemState {
  std::vector<double> h_hgnn;
  std::vector<double> E_patterns;
  std::vector<double> w_mode;
  std::optional<HostState> host;
  static constexpr auto kFields = Fields(
      Sparse("h_hgnn", &SystemState::h_hgnn, "Embedding of the whole: mean of h, weighted by c * (1 + mem_util)"),
      Sparse("E_patterns", &SystemState::E_patterns, "Activity of each hyperedge pattern, 0 to 1"),
      Sparse("w_mode", &SystemState::w_mode, "Weights of the operating modes"),
      Sparse("host", &SystemState::host, "Measurements of the machine"));
};

/// How well memory compresses, which the energy's memory term is made of.
struct Compression {
  double p_compress = 0.0;
  double r_effective = 1.0;
  static constexpr auto kFields =
      Fields(Required("p_compress", &Compression::p_compress, "Share of items that are compressed, 0 to 1"),
             Required("r_effective", &Compression::r_effective, "Measured compression ratio raw/stored, 1 or more"));
};

/// Memory tiers, as each reports itself: ma (agents), mw (working), mlt (long-term), mfb (flashbulb).
struct MemoryState {
  json::object ma;
  json::object mw;
  json::object mlt;
  json::object mfb;
  std::optional<double> util_scalar;
  std::optional<Compression> compression;
  static constexpr auto kFields =
      Fields(Sparse("ma", &MemoryState::ma, "Private memory of the agents, summed up"),
             Sparse("mw", &MemoryState::mw, "Working memory"), Sparse("mlt", &MemoryState::mlt, "Long-term memory"),
             Sparse("mfb", &MemoryState::mfb, "Flashbulb memory"),
             Sparse("util_scalar", &MemoryState::util_scalar,
                    "Mean of used/cap over the tiers that report both; absent when none does"),
             Sparse("compression", &MemoryState::compression, "Measured compression; absent: the energy term is 0"));
};

struct UnifiedState {
  std::map<std::string, AgentSnapshot> agents;
  std::map<std::string, OrganState> organs;
  std::optional<SystemState> system;
  std::optional<MemoryState> memory;
  static constexpr auto kFields = Fields(Optional("agents", &UnifiedState::agents, "Agents by id"),
                                         Optional("organs", &UnifiedState::organs, "Organs by id"),
                                         Sparse("system", &UnifiedState::system, "The system as a whole"),
                                         Sparse("memory", &UnifiedState::memory, "Memory tiers"));
};

/// The Euclidean projection of `values` onto the probability simplex {x : x >= 0, sum x = 1}: the nearest point of it
/// (Duchi, Shalev-Shwartz, Singer and Chandra 2008, figure 1). `values` must be finite and not empty.
void ProjectOntoSimplex(std::span<double> values);
/// The same for the three roles.
[[nodiscard]] RoleProbabilities Projected(const RoleProbabilities& roles);
/// Mean of the rows, projected; 1/3 each when there are none.
[[nodiscard]] RoleProbabilities AggregateRoles(std::span<const RoleProbabilities> rows);

/// Something in a state that does not hold.
struct StateIssue {
  std::string code;
  std::string path;
  std::string message;
  static constexpr auto kFields = Fields(
      Required("code", &StateIssue::code,
               "P.nan, P.negative, P.sum, P.shape, H.nan, H.ndim, E_patterns.range_or_nan, c.range or mem_util.range"),
      Required("path", &StateIssue::path, "Where, for example agents.a1.p"),
      Required("message", &StateIssue::message, "What is wrong with it"));
};
/// Everything that does not hold, in the order of the ids; at most `limit` issues.
[[nodiscard]] std::vector<StateIssue> ValidateState(const UnifiedState& state, std::size_t limit = 100);

}  // namespace seedcore::state
