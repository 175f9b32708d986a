#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "support/model_store.h"

namespace seedcore::sim {

/// Nobody starves: how many tasks may be claimed before one that could be claimed all the while, by store/turn.h.
///
/// Let X get its turn when the clock is at C, with m tasks of its flow that got theirs after the latest one of the flow
/// that was claimed. The turn of a claimed task is behind the clock, so
///     turn(X) <= C + delay(X) + (m + 1) * kTurn.
/// The j-th task of another flow F that gets a turn later than X has
///     turn >= C + delay(F) + (j - 1) * kTurn,
/// and is claimed before X only if its turn is no greater. Hence, of each F,
///     j <= m + 2 + (priority(F) - priority(X)) * kPriorityStep / kTurn,
/// and none of X's own flow. With tasks of one priority only, this holds for what got its turn before X, too, but for
/// one task: what waits has a turn ahead of the clock, as claims take the lowest and move the clock no further, but for
/// the thousandth of a turn that each claim adds.
///
/// Watched are tasks that no limit and no deadline keeps from being claimed; counted are first claims under a turn, as
/// what comes back keeps a turn that may be low, and fewer than a thousand claims.
class Overtaking {
 public:
  void AllOfOnePriority() { one_priority_ = true; }
  /// After each step of the world; it may have been any number of claims.
  void AfterStep(const test::ModelStore& store, std::vector<std::string>& violations);

 private:
  using Flow = std::tuple<std::string, std::string, int>;  // type, domain, priority
  struct Life {
    std::int64_t turn = -1;
    std::int64_t step = 0;  // of the world, in which the turn was given
    std::int64_t rank = 0;  // in the order in which turns were given; between flows, only from step to step
    bool claimed = false;   // under this turn
    bool waits = false;     // could be claimed after the step before
    Flow flow;
    std::int64_t ahead = 0;             // m
    std::map<Flow, std::int64_t> late;  // claimed before it though their turns were given later, by flow
    std::map<Flow, std::int64_t> all;   // claimed before it
  };
  void Rank(const test::ModelStore& store);
  void Count(const test::ModelStore& store, const test::ModelStore::Row& claimed, std::vector<std::string>& violations);

  bool one_priority_ = false;
  std::int64_t step_ = 0;
  std::int64_t last_rank_ = 0;
  std::size_t events_seen_ = 0;
  std::map<std::int64_t, Life> lives_;                   // by order of submission
  std::map<std::string, std::int64_t> seq_of_;           // by id
  std::map<Flow, std::vector<std::int64_t>> unclaimed_;  // ranks given after that of the latest claim of the flow
};

}  // namespace seedcore::sim
