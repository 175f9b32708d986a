#include "app/graph_worker.h"

#include <algorithm>

#include <fmt/format.h>

#include "app/section_settings.h"
#include "base/strings.h"
#include "graph/tasks.h"
#include "organism/executors/graph.h"

namespace seedcore::app {
namespace {

queue::TaskOutcome Execute(const organism::ExecutorRegistry& executors, const store::Task& task,
                           const CallContext& call) {
  const auto executor = executors.Find(task.type);
  if (!executor) return queue::TaskOutcome::Fail(executor.error());
  organism::TaskSpec spec;
  spec.id = task.id;
  spec.type = task.type;
  spec.description = task.description;
  spec.domain = task.domain;
  spec.params = task.params;
  spec.priority = task.priority;
  spec.attempt = std::max(task.attempts, 1);
  organism::ExecutionResult result = (*executor)->execute(spec, call);
  if (!result.success) {
    return queue::TaskOutcome::Fail(
        result.error.value_or(Error{ErrorCode::kInternal, "an executor failed without saying why", {}}),
        std::move(result.result));
  }
  return queue::TaskOutcome::Complete(std::move(result.result), std::move(result.effects));
}

}  // namespace

Result<std::unique_ptr<GraphWorker>> GraphWorker::Make(const settings::GraphSettings& settings,
                                                       Foundation& foundation) {
  std::unique_ptr<GraphWorker> worker(new GraphWorker());
  SEEDCORE_ASSIGN_OR_RETURN(
      worker->engine_, graph::Engine::Make(foundation.store->graph(), foundation.env, GraphSettingsFrom(settings)));
  SEEDCORE_RETURN_IF_ERROR(organism::RegisterGraphExecutors(worker->executors_, *worker->engine_, foundation.env));
  return worker;
}

Result<std::vector<std::string>> GraphWorker::Claimed(const std::vector<std::string>& types) const {
  std::vector<std::string> claimed;
  for (const std::string& type : types) {
    std::string name = ToLower(Trim(type));
    if (name.empty()) continue;
    if (!executors_.Knows(name)) {
      return Fail(ErrorCode::kInvalidArgument, executors_.Find(name).error().message, "types");
    }
    claimed.push_back(std::move(name));
  }
  if (!claimed.empty()) return claimed;
  for (const auto& executor : executors_.All()) claimed.push_back(executor->type);
  return claimed;
}

queue::TaskHandler GraphWorker::Handler() const {
  return [this](const store::Task& task, const CallContext& call) { return Execute(executors_, task, call); };
}

}  // namespace seedcore::app
