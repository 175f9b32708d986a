#include "app/remote_execution.h"

#include "net/retry.h"
#include "service/task_route.h"

namespace seedcore::app {
namespace {

constexpr net::RetryPolicy kUntilTaken{.base = std::chrono::milliseconds(200),
                                       .longest = std::chrono::milliseconds(5'000)};

bool NobodyTookIt(const Result<service::RouteResponse>& response) {
  return !response &&
         (response.error().code == ErrorCode::kUnavailable || response.error().code == ErrorCode::kResourceExhausted);
}

}  // namespace

queue::TaskHandler ExecuteThrough(const Peers& peers, Env& env, std::chrono::milliseconds retry_delay) {
  return [coordinator = peers.coordinator, &env, retry_delay](const store::Task& task, const CallContext& call) {
    const service::RouteRequest request = service::RouteRequestOf(task, call);
    for (int retry = 0;; ++retry) {
      auto response = coordinator.Call<&service::CoordinatorService::RouteAndExecute>(request, call);
      const auto wait = net::Backoff(kUntilTaken, retry, env.RandomUnit());
      if (!NobodyTookIt(response) || env.Now() + wait >= call.deadline) {
        return service::OutcomeOf(std::move(response), retry_delay);
      }
      // Told to stop while it waits: the error is retryable, so the dispatcher hands the task back.
      if (!env.SleepFor(wait, call.stop)) return service::OutcomeOf(std::move(response), retry_delay);
    }
  };
}

}  // namespace seedcore::app
