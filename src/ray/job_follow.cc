#include "ray/job_follow.h"

#include <chrono>

#include <fmt/format.h>

namespace seedcore::ray {
namespace {

constexpr std::chrono::milliseconds kLookAtJob{300};
constexpr int kMostFailures = 20;

bool HasEnded(const JobInfo& job) {
  return job.status == "SUCCEEDED" || job.status == "FAILED" || job.status == "STOPPED";
}

}  // namespace

Result<JobInfo> FollowJob(Dashboard& dashboard, const std::string& id, const CallContext& call, Env& env,
                          const std::function<void(std::string_view)>& print) {
  std::size_t printed = 0;
  int failures = 0;
  std::string last = "PENDING";
  while (true) {
    const auto job = dashboard.Job(id, call);
    // Read after the state: the log of a job that has ended is whole.
    const auto logs = dashboard.JobLogs(id, call);
    if (logs && logs->size() > printed) {
      print(std::string_view(*logs).substr(printed));
      printed = logs->size();
    }
    if (job) {
      failures = 0;
      last = job->status;
      if (HasEnded(*job)) return job;
    } else if (++failures > kMostFailures) {
      return job;
    }
    const bool slept = env.Now() + kLookAtJob < call.deadline && env.SleepFor(kLookAtJob, call.stop);
    if (slept) continue;
    return Fail(ErrorCode::kDeadlineExceeded,
                fmt::format("the job {} is {} when the time is up, and goes on; `seedcore ray jobs status {}` shows it",
                            id, last, id));
  }
}

int ExitCodeOf(const JobInfo& job) {
  if (job.status == "SUCCEEDED") return 0;
  return job.driver_exit_code.value_or(1) == 0 ? 1 : job.driver_exit_code.value_or(1);
}

}  // namespace seedcore::ray
