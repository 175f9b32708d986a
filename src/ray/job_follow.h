#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/call_context.h"
#include "ray/dashboard.h"

namespace seedcore::ray {

/// Waits until the job has ended and hands its log to `print`, each part once, as it grows. Returns the job as it
/// ended. kDeadlineExceeded, with the state it was left in: the job goes on. A dashboard that does not answer for a
/// while is asked again.
[[nodiscard]] Result<JobInfo> FollowJob(Dashboard& dashboard, const std::string& id, const CallContext& call, Env& env,
                                        const std::function<void(std::string_view)>& print);

/// What a program that stands for the job exits with: the job's own code; 1 when it failed without one.
[[nodiscard]] int ExitCodeOf(const JobInfo& job);

}  // namespace seedcore::ray
