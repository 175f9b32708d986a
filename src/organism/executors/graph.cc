#include "organism/executors/graph.h"

#include "graph/tasks.h"

namespace seedcore::organism {
namespace {

ExecutionResult ToResult(Result<graph::TaskReport> report) {
  if (!report) return ExecutionResult::Failure(std::move(report).error());
  return ExecutionResult::Success(std::move(report->result), report->quality, report->found);
}

ExecutionResult RunSync(const graph::Engine& engine, Env& env, const TaskSpec& task, const CallContext& call) {
  const auto params = ReadParams<graph::SyncParams>(task);
  if (!params) return ExecutionResult::Failure(params.error());
  return ToResult(graph::RunSync(engine, *params, call, env));
}

ExecutionResult RunStarted(const graph::Engine& engine, const graph::TaskType& type, const TaskSpec& task,
                           const CallContext& call) {
  const auto params = ReadParams<graph::StartParams>(task);
  if (!params) return ExecutionResult::Failure(params.error());
  return ToResult(type.kind == graph::TaskKind::kEmbed ? graph::RunEmbed(engine, *params, type, call)
                                                       : graph::RunQuery(engine, *params, type, call));
}

std::string DocOf(graph::TaskKind kind) {
  switch (kind) {
    case graph::TaskKind::kEmbed:
      return "Embeds the nodes of the graph around a start and stores the embeddings. Quality: 1.";
    case graph::TaskKind::kQuery:
      return "Embeds the graph around a start, then finds the stored embeddings nearest to it. Quality: share of topk "
             "that was found.";
    case graph::TaskKind::kSync: break;
  }
  return "Gives a node id to everything in the graph that has none. Quality: 1.";
}

}  // namespace

Result<void> RegisterGraphExecutors(ExecutorRegistry& registry, const graph::Engine& engine, Env& env) {
  for (const graph::TaskType& type : graph::TaskTypes()) {
    Executor executor{.type = std::string(type.name), .doc = DocOf(type.kind), .params_schema = {}, .execute = {}};
    if (type.kind == graph::TaskKind::kSync) {
      executor.params_schema = ParamsSchema<graph::SyncParams>();
      executor.execute = [&engine, &env](const TaskSpec& task, const CallContext& call) {
        return RunSync(engine, env, task, call);
      };
    } else {
      executor.params_schema = ParamsSchema<graph::StartParams>();
      executor.execute = [&engine, &type](const TaskSpec& task, const CallContext& call) {
        return RunStarted(engine, type, task, call);
      };
    }
    SEEDCORE_RETURN_IF_ERROR(registry.Register(std::move(executor)));
  }
  return {};
}

}  // namespace seedcore::organism
