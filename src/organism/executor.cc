#include "organism/executor.h"

#include <algorithm>
#include <array>
#include <exception>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"

namespace seedcore::organism {

ExecutionResult ExecutionResult::Success(json::value result, double quality, int mem_hits) {
  return {.success = true,
          .result = std::move(result),
          .error = std::nullopt,
          .quality = std::clamp(quality, 0.0, 1.0),
          .mem_hits = mem_hits,
          .effects = {}};
}

ExecutionResult ExecutionResult::Failure(Error error, json::value partial) {
  return {.success = false,
          .result = std::move(partial),
          .error = std::move(error),
          .quality = 0.0,
          .mem_hits = 0,
          .effects = {}};
}

ExecutionResult RunExecutor(const Executor& executor, const TaskSpec& task, const CallContext& call, Env& env) {
  if (auto wanted = call.Check(env); !wanted) return ExecutionResult::Failure(wanted.error());
  if (auto fault = env.Fault("organism.execute"); !fault) return ExecutionResult::Failure(fault.error());
  try {
    return executor.execute(task, call);
  } catch (const std::exception& exception) {
    return ExecutionResult::Failure(
        {ErrorCode::kInternal, fmt::format("the executor of {} failed: {}", task.type, exception.what()), {}});
  }
}

Result<void> ExecutorRegistry::Register(Executor executor) {
  const std::lock_guard lock(mutex_);
  std::string type = executor.type;
  const auto [position, added] =
      executors_.try_emplace(std::move(type), std::make_shared<const Executor>(std::move(executor)));
  if (added) return {};
  return Fail(ErrorCode::kConflict, fmt::format("task type {} has an executor already", position->first));
}

Result<std::shared_ptr<const Executor>> ExecutorRegistry::Find(std::string_view type) const {
  const std::lock_guard lock(mutex_);
  const auto found = executors_.find(type);
  if (found != executors_.end()) return found->second;
  std::vector<std::string_view> known;
  for (const auto& [name, executor] : executors_) known.push_back(name);
  const auto nearest = NearestName(type, known);
  return Fail(
      ErrorCode::kNonRetryable,
      fmt::format("no executor for task type '{}'{}; known types: {}", type,
                  nearest ? fmt::format(", did you mean {}?", *nearest) : std::string(), fmt::join(known, ", ")),
      "type");
}

bool ExecutorRegistry::Knows(std::string_view type) const {
  const std::lock_guard lock(mutex_);
  return executors_.contains(type);
}

std::vector<std::shared_ptr<const Executor>> ExecutorRegistry::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Executor>> all;
  for (const auto& [name, executor] : executors_) all.push_back(executor);
  return all;
}

bool IsHandlingParam(std::string_view name) {
  constexpr std::array<std::string_view, 9> kHandling = {"agent",           "agent_id", "owner_agent_id",
                                                         "complexity",      "features", "history_ids",
                                                         "organ_timeout_s", "priority", "required_capability"};
  return std::ranges::find(kHandling, name) != kHandling.end();
}

}  // namespace seedcore::organism
