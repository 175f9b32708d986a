#include <chrono>
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include "base/env.h"
#include "cli/api.h"
#include "cli/cluster.h"
#include "ray/job_follow.h"

namespace seedcore::cli {
namespace {

constexpr std::chrono::seconds kBootstrap{600};
constexpr int kMostDispatchers = 1000;

/// The job, as its environment tells it what to do: the same variables as without this command.
Result<ray::JobRequest> JobFor(const Arguments& arguments) {
  json::object variables{
      {"BOOTSTRAP_MODE", arguments.Get("mode", "all")}, {"EXIT_AFTER_BOOTSTRAP", "true"}, {"PYTHONUNBUFFERED", "1"}};
  if (arguments.Has("dispatchers")) {
    SEEDCORE_ASSIGN_OR_RETURN(const int count, arguments.Number("dispatchers", 0));
    if (count < 1 || count > kMostDispatchers) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}", kMostDispatchers), "--dispatchers");
    }
    variables["DISPATCHER_COUNT"] = std::to_string(count);
  }
  if (arguments.Has("replace")) {
    variables["FORCE_REPLACE_DISPATCHERS"] = "true";
    variables["FORCE_REPLACE_ORGANS"] = "true";
  }
  const std::string python = arguments.Get("python", "python");
  if (python.find_first_of("'\n") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "expected the path of a program", "--python");
  }
  ray::JobRequest job;
  job.entrypoint = fmt::format("'{}' -m bootstraps.bootstrap_entry", python);
  job.runtime_env = {{"env_vars", std::move(variables)}};
  job.metadata = {{"seedcore", "bootstrap"}};
  return job;
}

}  // namespace

int RunBootstrap(const Arguments& arguments) {
  const auto call = CallFor(arguments, kBootstrap);
  if (!call) return ReportError(call.error());
  const auto request = JobFor(arguments);
  if (!request) return ReportError(request.error());
  const auto cluster = AwaitCluster(arguments, *call);
  if (!cluster) return ReportError(cluster.error());
  const auto id = cluster->dashboard->SubmitJob(*request, *call);
  if (!id) return ReportError(id.error());
  const bool as_json = arguments.Has("json");
  if (!as_json) fmt::print(stderr, "job {} on {}\n", *id, cluster->plan.dashboard_url.value);
  // With --json standard output is one document, so the log goes beside it.
  std::FILE* const out = as_json ? stderr : stdout;
  const auto job = ray::FollowJob(*cluster->dashboard, *id, *call, RealEnv(), [out](std::string_view text) {
    fmt::print(out, "{}", text);
    std::fflush(out);
  });
  if (!job) return ReportError(job.error());
  const int code = ray::ExitCodeOf(*job);
  if (as_json) {
    PrintJson(ToJson(*job));
  } else if (code != 0) {
    fmt::print(stderr, "seedcore: the job {}: {}\n", job->status, job->message);
  }
  return code;
}

}  // namespace seedcore::cli
