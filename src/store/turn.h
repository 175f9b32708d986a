#pragma once

#include <algorithm>
#include <cstdint>

/// The order in which tasks are claimed: by turn, then by age (start-time fair queueing, Goyal, Vin and Cheng 1996).
/// A flow is what is submitted with one type, domain and priority. Turns count in thousandths of a step of a flow.
///
///   turn = max(clock + (10 - priority) * kPriorityStep, last turn of the flow + kTurn)
///
/// is given once, when a task can run for the first time (or is queued anew by hand), and kept by retries. The clock is
/// how far claiming has come, without the part of the priority; it only goes forward, by at least 1 per claimed task,
/// so that whatever waits is reached in the end. A claim of certain types moves the clocks of these types, a claim of
/// all types moves the one of all; the later of the two counts. The schemas of both stores hold the same formula.
///
/// What follows, and what the conformance suite holds both stores to:
/// * within a flow by age: as the tasks became able to run, which is the next claim for one whose run_after has come
/// (no
///   clock ticks in a store: what was submitted before that claim is before it); one that was retried, reaped or handed
///   back comes before those that had their turn after it, one queued anew by hand after all of them;
/// * flows of one priority that have tasks waiting get equal shares, however many tasks each has;
/// * a flow that had nothing waiting is among the next to be served, and has no credit for the time before;
/// * a higher priority comes first, of its own tenant's tasks and of others;
/// * whatever waits is reached: a task of one priority step less is overtaken by at most a thousand tasks of a flow.
/// The row of a flow is forgotten once the clock is a turn ahead of it (last turn + kTurn <= clock + the part of the
/// priority): the formula then gives the same turn with it and without it, now and ever after, as clocks only go
/// forward. So a flow that comes back neither jumps ahead nor falls behind, and what is kept are the flows that have
/// tasks waiting or were served within the last turn. The clock of a type is forgotten when that of all types is a turn
/// ahead of it, and counts for it anyway.
/// Several stores on one database keep this order up to what is claimed or submitted at the same moment.
namespace seedcore::store {

inline constexpr std::int64_t kTurn = 1000;
/// A task overtakes at most a thousand tasks of each flow that is one priority lower.
inline constexpr std::int64_t kPriorityStep = 1000 * kTurn;
/// At each look of the retention.
inline constexpr int kMostFlowsForgotten = 10'000;

/// What a priority, 1 to 10, adds to the clock.
constexpr std::int64_t PriorityDelay(int priority) { return (10 - priority) * kPriorityStep; }

}  // namespace seedcore::store
