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
namespace seedcore::store {

inline constexpr std::int64_t kTurn = 1000;
/// A task overtakes at most a thousand tasks of each flow that is one priority lower.
inline constexpr std::int64_t kPriorityStep = 1000 * kTurn;

/// What a priority, 1 to 10, adds to the clock.
constexpr std::int64_t PriorityDelay(int priority) { return (10 - priority) * kPriorityStep; }

}  // namespace seedcore::store
