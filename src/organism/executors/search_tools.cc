#include <algorithm>
#include <ranges>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "organism/executors/executors.h"
#include "organism/words.h"

namespace seedcore::organism {
namespace {

Result<void> CheckLimit(int limit) {
  if (limit >= 1 && limit <= 100) return {};
  return Fail(ErrorCode::kInvalidArgument, "expected 1 to 100", "limit");
}

struct FactSearchArguments {
  std::string query;
  std::string tag;
  int limit = 5;
  [[nodiscard]] Result<void> Validate() const {
    if (query.empty() && tag.empty()) return Fail(ErrorCode::kInvalidArgument, "give a query or a tag", "query");
    return CheckLimit(limit);
  }
  static constexpr auto kFields = Fields(Optional("query", &FactSearchArguments::query, "Words to look for"),
                                         Optional("tag", &FactSearchArguments::tag, "Only facts with this tag"),
                                         Optional("limit", &FactSearchArguments::limit, "At most this many, 1 to 100"));
};

struct ScoredFact {
  store::Fact fact;
  double coverage = 0.0;     ///< share of the wanted words it has
  std::size_t position = 0;  ///< in the store's own order: best match or newest first
};

/// Facts that have all wanted words; when there are none, those with most of them.
Result<std::vector<ScoredFact>> FindFacts(store::FactStore& facts, const std::vector<std::string>& wanted,
                                          const FactSearchArguments& arguments) {
  constexpr std::size_t kMostLookUps = 8;
  std::vector<ScoredFact> found;
  std::set<std::string> ids;
  const auto look_up = [&](const std::string& text) -> Result<void> {
    SEEDCORE_ASSIGN_OR_RETURN(auto matches,
                              facts.Search({.text = text, .tag = arguments.tag, .limit = arguments.limit}));
    for (store::Fact& fact : matches) {
      const double coverage = wanted.empty() ? 1.0 : Coverage(wanted, fact.text);
      if (ids.insert(fact.id).second) found.push_back({std::move(fact), coverage, found.size()});
    }
    return {};
  };
  SEEDCORE_RETURN_IF_ERROR(look_up(fmt::format("{}", fmt::join(wanted, " "))));
  if (found.empty() && wanted.size() > 1) {
    for (const std::string& word : wanted | std::views::take(kMostLookUps)) SEEDCORE_RETURN_IF_ERROR(look_up(word));
  }
  std::ranges::sort(found, {}, [](const ScoredFact& fact) { return std::pair(-fact.coverage, fact.position); });
  if (found.size() > static_cast<std::size_t>(arguments.limit)) found.resize(static_cast<std::size_t>(arguments.limit));
  return found;
}

struct TaskSearchArguments {
  std::optional<store::TaskStatus> status;
  std::string type;
  std::string text;
  int limit = 10;
  [[nodiscard]] Result<void> Validate() const { return CheckLimit(limit); }
  static constexpr auto kFields =
      Fields(Optional("status", &TaskSearchArguments::status, "Only tasks in this state"),
             Optional("type", &TaskSearchArguments::type, "Only tasks of this type"),
             Optional("text", &TaskSearchArguments::text, "Part of the id, type, description or result"),
             Optional("limit", &TaskSearchArguments::limit, "At most this many, 1 to 100"));
};

}  // namespace

Tool MakeFactSearchTool(store::FactStore& facts) {
  return {.name = "fact_search",
          .doc = "Full-text search of the stored facts. Quality: share of the query's words in the best fact found.",
          .arguments_schema = ParamsSchema<FactSearchArguments>(),
          .run = [&facts](const json::object& json, const CallContext&) -> Result<ToolOutput> {
            SEEDCORE_ASSIGN_OR_RETURN(const auto arguments, FromJson<FactSearchArguments>(json));
            auto wanted = ContentWords(Words(arguments.query));
            if (wanted.empty()) wanted = Words(arguments.query);
            SEEDCORE_ASSIGN_OR_RETURN(const auto found, FindFacts(facts, wanted, arguments));
            json::array items;
            for (const auto& [fact, coverage, position] : found) {
              json::array tags;
              for (const std::string& tag : fact.tags) tags.push_back(json::string(tag));
              items.push_back(json::object{
                  {"id", fact.id}, {"text", fact.text}, {"tags", std::move(tags)}, {"coverage", coverage}});
            }
            const auto count = static_cast<int>(found.size());
            return ToolOutput{.text = found.empty() ? std::string("No stored fact matches.") : found.front().fact.text,
                              .data = json::object{{"count", count}, {"facts", std::move(items)}},
                              .quality = found.empty() ? 0.0 : found.front().coverage,
                              .mem_hits = count};
          }};
}

Tool MakeTaskSearchTool(store::TaskStore& tasks) {
  return {.name = "task_search",
          .doc = "Searches the tasks, newest first, and counts them by state.",
          .arguments_schema = ParamsSchema<TaskSearchArguments>(),
          .run = [&tasks](const json::object& json, const CallContext&) -> Result<ToolOutput> {
            SEEDCORE_ASSIGN_OR_RETURN(const auto arguments, FromJson<TaskSearchArguments>(json));
            SEEDCORE_ASSIGN_OR_RETURN(const auto counts, tasks.Counts());
            SEEDCORE_ASSIGN_OR_RETURN(
                const auto page,
                tasks.List({.status = arguments.status, .type = arguments.type, .text = arguments.text},
                           arguments.limit, ""));
            json::object by_status;
            std::vector<std::string> parts;
            std::int64_t total = 0;
            for (const auto& [status, count] : counts.by_status) {
              by_status[EnumToString(status)] = count;
              total += count;
              if (count > 0) parts.push_back(fmt::format("{} {}", count, EnumToString(status)));
            }
            json::array items;
            for (const store::Task& task : page.items) {
              items.push_back(json::object{{"id", task.id},
                                           {"type", task.type},
                                           {"status", EnumToString(task.status)},
                                           {"description", task.description},
                                           {"error", task.error}});
            }
            const auto shown = static_cast<int>(page.items.size());
            const bool filtered = arguments.status || !arguments.type.empty() || !arguments.text.empty();
            std::string text =
                fmt::format("{} tasks in all{}{}.", total, parts.empty() ? "" : ": ", fmt::join(parts, ", "));
            if (filtered) {
              text += fmt::format(" {}{} of them match.", page.next_cursor.empty() ? "" : "At least ", shown);
            }
            return ToolOutput{.text = std::move(text),
                              .data = json::object{{"total", total},
                                                   {"by_status", std::move(by_status)},
                                                   {"dead_letters", counts.dead_letters},
                                                   {"tasks", std::move(items)},
                                                   {"more", !page.next_cursor.empty()}},
                              .mem_hits = shown};
          }};
}

}  // namespace seedcore::organism
