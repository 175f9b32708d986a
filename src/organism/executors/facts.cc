#include <fmt/format.h>

#include "base/strings.h"
#include "organism/executors/executors.h"

namespace seedcore::organism {
namespace {

constexpr std::size_t kMaxFactBytes = 65'536;
constexpr std::size_t kMaxTags = 64;

struct FactStoreParams {
  std::string text;
  std::vector<std::string> tags;
  json::object meta_data;
  static constexpr auto kFields =
      Fields(Optional("text", &FactStoreParams::text, "The fact; default: the task's description"),
             Optional("tags", &FactStoreParams::tags, "Labels to find it by"),
             Optional("meta_data", &FactStoreParams::meta_data, "Anything else, as JSON"));
};

struct FactSearchParams {
  std::string query;
  std::string tag;
  int limit = 10;
  static constexpr auto kFields =
      Fields(Optional("query", &FactSearchParams::query, "Words to look for; default: the task's description"),
             Optional("tag", &FactSearchParams::tag, "Only facts with this tag"),
             Optional("limit", &FactSearchParams::limit, "At most this many, 1 to 100"));
};

ExecutionResult StoreFact(const TaskSpec& task) {
  auto params = ReadParams<FactStoreParams>(task);
  if (!params) return ExecutionResult::Failure(params.error());
  std::string text(Trim(params->text.empty() ? task.description : params->text));
  if (text.empty() || text.size() > kMaxFactBytes) {
    return ExecutionResult::Failure(
        {ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} bytes", kMaxFactBytes), "params.text"});
  }
  if (params->tags.size() > kMaxTags) {
    return ExecutionResult::Failure(
        {ErrorCode::kInvalidArgument, fmt::format("more than {} tags", kMaxTags), "params.tags"});
  }
  json::object meta = std::move(params->meta_data);
  if (!task.id.empty()) meta["task_id"] = task.id;
  auto result = ExecutionResult::Success(json::object{{"stored", true}, {"text", text}});
  result.effects.facts.push_back({std::move(text), std::move(params->tags), std::move(meta)});
  return result;
}

ExecutionResult SearchFacts(const TaskSpec& task, const ToolSet& tools, const CallContext& call) {
  const auto params = ReadParams<FactSearchParams>(task);
  if (!params) return ExecutionResult::Failure(params.error());
  const auto tool = tools.Find("fact_search");
  if (!tool) return ExecutionResult::Failure(tool.error());
  const std::string query = params->query.empty() && params->tag.empty() ? task.description : params->query;
  auto found = (*tool)->run({{"query", query}, {"tag", params->tag}, {"limit", params->limit}}, call);
  if (!found) {
    Error error = found.error();
    if (!error.path.empty()) error.path.insert(0, "params.");
    return ExecutionResult::Failure(std::move(error));
  }
  json::object result = std::move(found->data.as_object());
  result["query"] = query;
  return ExecutionResult::Success(std::move(result), found->quality, found->mem_hits);
}

}  // namespace

Executor MakeFactStore() {
  return {.type = "fact_store",
          .doc = "Stores a fact, in the same transaction that completes the task. Quality: 1, there are no half facts.",
          .params_schema = ParamsSchema<FactStoreParams>(),
          .execute = [](const TaskSpec& task, const CallContext&) { return StoreFact(task); }};
}

Executor MakeFactSearch(std::shared_ptr<const ToolSet> tools) {
  return {.type = "fact_search",
          .doc =
              "Full-text search of the stored facts; finding none is an answer too. Quality: share of the query's "
              "words in the best fact found.",
          .params_schema = ParamsSchema<FactSearchParams>(),
          .execute = [tools = std::move(tools)](const TaskSpec& task, const CallContext& call) {
            return SearchFacts(task, *tools, call);
          }};
}

}  // namespace seedcore::organism
