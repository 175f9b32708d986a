#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"
#include "organism/executors/executors.h"
#include "organism/executors/intent.h"
#include "organism/words.h"

namespace seedcore::organism {
namespace {

constexpr std::size_t kMaxQuestionBytes = 4096;
/// A fact answers a question that no tool is made for only if it has at least this share of the question's words.
constexpr double kLeastCoverage = 0.5;

struct GeneralQueryParams {
  std::string query;
  std::string tool;
  json::object arguments;
  static constexpr auto kFields =
      Fields(Optional("query", &GeneralQueryParams::query, "The question; default: the task's description"),
             Optional("tool", &GeneralQueryParams::tool, "Answer with this tool instead of recognizing one"),
             Optional("arguments", &GeneralQueryParams::arguments, "Arguments of params.tool"));
};

std::string_view QueryTypeOf(std::string_view tool) {
  if (tool == "calculate") return "math_query";
  if (tool == "time") return "time_query";
  if (tool == "date") return "date_query";
  if (tool == "system_status") return "system_status";
  if (tool == "fact_search") return "fact_query";
  if (tool == "task_search") return "task_query";
  return "general_query";
}

ExecutionResult Unanswerable(const std::string& question) {
  constexpr std::size_t kMostQuoted = 200;
  const std::string quoted = question.size() <= kMostQuoted ? fmt::format("'{}'", question) : "this question";
  return ExecutionResult::Failure(
      {ErrorCode::kNonRetryable,
       fmt::format("no tool can answer {}. There are: time (\"what time is it?\"), date (\"what day is it?\"), "
                   "calculate (\"12 * (3 + 4)\"), system_status (\"system status\"), task_search (\"how many tasks "
                   "failed?\"), fact_search (\"find facts about ...\", or a question that a stored fact answers)",
                   quoted),
       "description"});
}

/// Runs the tools and puts their answers together; each is cited with its inputs.
ExecutionResult Answer(const std::string& question, const std::vector<Intent>& intents, const ToolSet& tools,
                       const CallContext& call) {
  json::array cited;
  std::vector<std::string> texts;
  double quality = 1.0;
  int mem_hits = 0;
  for (const Intent& intent : intents) {
    const auto tool = tools.Find(intent.tool);
    if (!tool) return ExecutionResult::Failure({tool.error().code, tool.error().message, "params.tool"});
    auto output = (*tool)->run(intent.arguments, call);
    if (!output) {
      Error error = output.error();
      error.message = fmt::format("{}: {}", intent.tool, error.message);
      return ExecutionResult::Failure(std::move(error));
    }
    texts.push_back(output->text);
    quality = std::min(quality, output->quality);
    mem_hits += output->mem_hits;
    cited.push_back(json::object{{"tool", intent.tool},
                                 {"arguments", intent.arguments},
                                 {"text", output->text},
                                 {"output", std::move(output->data)}});
  }
  json::object result{{"query_type", QueryTypeOf(intents.front().tool)},
                      {"description", question},
                      {"formatted", fmt::format("{}", fmt::join(texts, " "))},
                      {"tools", std::move(cited)}};
  return ExecutionResult::Success(std::move(result), quality, mem_hits);
}

/// A stored fact may hold the answer to a question that no other tool is made for.
ExecutionResult AnswerFromFacts(const std::string& question, const ToolSet& tools, const CallContext& call) {
  const auto wanted = ContentWords(Words(question));
  if (wanted.empty()) return Unanswerable(question);
  auto answer =
      Answer(question, {{"fact_search", {{"query", fmt::format("{}", fmt::join(wanted, " "))}}}}, tools, call);
  if (answer.success && answer.quality < kLeastCoverage) return Unanswerable(question);
  return answer;
}

ExecutionResult AnswerQuery(const TaskSpec& task, const ToolSet& tools, const CallContext& call) {
  const auto params = ReadParams<GeneralQueryParams>(task);
  if (!params) return ExecutionResult::Failure(params.error());
  const std::string question(Trim(params->query.empty() ? task.description : params->query));
  if (!params->tool.empty()) return Answer(question, {{params->tool, params->arguments}}, tools, call);
  if (question.empty() || question.size() > kMaxQuestionBytes) {
    return ExecutionResult::Failure({ErrorCode::kInvalidArgument,
                                     fmt::format("expected a question of 1 to {} bytes", kMaxQuestionBytes),
                                     params->query.empty() ? "description" : "params.query"});
  }
  const auto intents = RecognizeIntents(question);
  if (!intents.empty()) return Answer(question, intents, tools, call);
  return AnswerFromFacts(question, tools, call);
}

}  // namespace

Executor MakeGeneralQuery(std::shared_ptr<const ToolSet> tools) {
  return {.type = "general_query",
          .doc =
              "Answers a question with a tool: time, date, arithmetic, system status, tasks, facts. Cites the tool and "
              "its inputs; says so when no tool can answer. Quality: the least of the tools' own; 1 for exact answers.",
          .params_schema = ParamsSchema<GeneralQueryParams>(),
          .execute = [tools = std::move(tools)](const TaskSpec& task, const CallContext& call) {
            return AnswerQuery(task, *tools, call);
          }};
}

}  // namespace seedcore::organism
