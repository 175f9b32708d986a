#include <fmt/format.h>

#include "organism/executors/executors.h"

namespace seedcore::organism {
namespace {

struct ExecuteParams {
  std::string tool;
  json::object arguments;
  static constexpr auto kFields = Fields(Required("tool", &ExecuteParams::tool, "Name of a registered tool"),
                                         Optional("arguments", &ExecuteParams::arguments, "Arguments of the tool"));
};

ExecutionResult RunTool(const TaskSpec& task, const ToolSet& tools, const CallContext& call) {
  const auto params = ReadParams<ExecuteParams>(task);
  if (!params) return ExecutionResult::Failure(params.error());
  const auto tool = tools.Find(params->tool);
  if (!tool) return ExecutionResult::Failure({tool.error().code, tool.error().message, "params.tool"});
  auto output = (*tool)->run(params->arguments, call);
  if (!output) {
    Error error = output.error();
    error.path = error.path.empty() ? "params.arguments" : "params.arguments." + error.path;
    return ExecutionResult::Failure(std::move(error));
  }
  json::object result{{"tool", params->tool},
                      {"arguments", params->arguments},
                      {"text", output->text},
                      {"output", std::move(output->data)}};
  return ExecutionResult::Success(std::move(result), output->quality, output->mem_hits);
}

}  // namespace

Executor MakeExecute(std::shared_ptr<const ToolSet> tools) {
  std::string names;
  for (const std::string_view name : tools->Names()) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  return {.type = "execute",
          .doc = fmt::format("Runs one tool by name, with typed arguments: {}. Quality: the tool's.", names),
          .params_schema = ParamsSchema<ExecuteParams>(),
          .execute = [tools = std::move(tools)](const TaskSpec& task, const CallContext& call) {
            return RunTool(task, *tools, call);
          }};
}

}  // namespace seedcore::organism
