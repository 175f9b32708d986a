// Problem solving: the demands of the statement matched with the tools, facts and incidents at hand.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/strings.h"
#include "cognitive/rules/cues.h"
#include "cognitive/rules/evidence.h"
#include "cognitive/rules/rules.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr std::size_t kMaxDemands = 8;
constexpr std::size_t kMaxTools = 200;
constexpr std::size_t kMaxMetrics = 20;
constexpr double kMinRelevance = 0.3;

struct Tool {
  std::string name;
  std::string text;
  WordSet words;
};

/// Whether more of the named quantity is worse.
bool LessIsBetter(std::string_view name) {
  if (name.contains("min") || name.contains("at_least")) return false;
  constexpr auto kCosts =
      std::to_array<std::string_view>({"max", "limit", "latency", "cost", "budget", "time", "deadline", "error",
                                       "memory", "cpu", "_ms", "_s", "_bytes", "steps"});
  return std::ranges::any_of(kCosts, [&](std::string_view cost) { return name.contains(cost); });
}

class Solver {
 public:
  Solver(const ReasoningRequest& request, const Knowledge& knowledge) : request_(request), knowledge_(knowledge) {}

  Result<Solution> Solve() {
    if (Trim(request_.problem_statement).empty()) {
      return Fail(ErrorCode::kInvalidArgument, "required, but missing or empty", "problem_statement");
    }
    if (request_.available_tools.size() > kMaxTools) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} tools", kMaxTools), "available_tools");
    }
    for (const auto& member : request_.available_tools) {
      std::string text = std::string(member.key()) + " " + FlattenJson(member.value(), 1000);
      WordSet words = ContentWords(text);
      tools_.push_back({std::string(member.key()), std::move(text), std::move(words)});
    }
    std::vector<std::string> demands = Sentences(request_.problem_statement);
    if (demands.size() > kMaxDemands) demands.resize(kMaxDemands);
    LookAtMemory();
    for (const std::string& demand : demands) MeetDemand(demand);
    TurnConstraintsIntoMetrics();
    return Finish(demands.size());
  }

 private:
  void LookAtMemory() {
    for (const KnowledgeFact& fact : knowledge_.facts) {
      if (std::min(fact.score, 1.0) < kMinRelevance) continue;
      known_ += fact.trust * std::min(fact.score, 1.0);
      solution_.findings.push_back(
          {fmt::format("Known: {}", Shorten(fact.text, 160)), {book_.Add("fact:" + fact.id, fact.text)}});
    }
    for (const RelatedIncident& incident : knowledge_.incidents) {
      const json::value* resolution = incident.event_data.if_contains("resolution");
      if (resolution == nullptr || !resolution->is_string()) continue;
      known_ += incident.similarity * incident.salience;
      solution_.findings.push_back({fmt::format("A similar incident was resolved by: {}",
                                                Shorten(std::string_view(resolution->get_string()), 160)),
                                    {book_.Add("incident:" + incident.id, incident.text)}});
    }
    if (solution_.findings.empty()) {
      first_step_ = AddStep({.type = "fact_search",
                             .domain = "facts",
                             .description = "Look for what is known about the problem",
                             .params = {{"query", Shorten(request_.problem_statement, 300)}}});
    }
  }

  void MeetDemand(const std::string& demand) {
    const WordSet words = ContentWords(demand);
    const Tool* best = nullptr;
    std::size_t best_shared = 0;
    for (const Tool& tool : tools_) {
      const std::size_t shared = SharedWords(words, tool.words);
      if (shared <= best_shared) continue;
      best = &tool;
      best_shared = shared;
    }
    std::vector<std::string> after;
    if (!first_step_.empty()) after.push_back(first_step_);
    if (best == nullptr) {
      AddStep({.type = "general_query", .domain = {}, .description = demand, .params = {}}, after);
      open_.push_back(demand);
      return;
    }
    ++met_;
    const std::string evidence = book_.Add("context:available_tools." + best->name, best->text);
    solution_.findings.push_back({fmt::format("\"{}\" is a matter for the tool {} ({} in common).",
                                              Shorten(demand, 120), best->name, Counted(best_shared, "word", "words")),
                                  {evidence, book_.Add("context:problem_statement", request_.problem_statement)}});
    AddStep({.type = "execute", .domain = {}, .description = demand, .params = {{"tool", best->name}}}, after);
  }

  void TurnConstraintsIntoMetrics() {
    for (const Leaf& leaf : Leaves(request_.constraints, kMaxMetrics)) {
      const std::string value = FlattenJson(*leaf.value, 200);
      const std::string id = book_.Add("context:constraints." + leaf.path, value);
      const std::string text =
          leaf.value->is_number()
              ? fmt::format("{} is {} {}.", leaf.path, LessIsBetter(leaf.name) ? "at most" : "at least", value)
              : fmt::format("{} stays {}.", leaf.path, value);
      solution_.success_metrics.push_back({text, {id}});
    }
    solution_.success_metrics.push_back({"Every step is completed.", {}});
  }

  Result<Solution> Finish(std::size_t demands) {
    const auto all = static_cast<double>(demands);
    const auto met = static_cast<double>(met_);
    std::string approach =
        fmt::format("{} in {}; {} can be met with the tools at hand.", Counted(demands, "demand", "demands"),
                    Counted(solution_.solution_steps.size(), "step", "steps"),
                    met_ == 0 ? std::string("none") : fmt::format("{}", met_));
    if (!open_.empty()) approach += fmt::format(" No tool fits: {}.", Shorten(JoinWords(open_), 300));
    if (!solution_.findings.empty()) approach += " " + Paragraph(solution_.findings);
    solution_.solution_approach = std::move(approach);
    solution_.confidence = Confidence(met + known_, all + known_);
    solution_.evidence = std::move(book_).Take();
    return std::move(solution_);
  }

  std::string AddStep(StepTask task, std::vector<std::string> depends_on = {}) {
    std::string id = fmt::format("step_{}", solution_.solution_steps.size() + 1);
    solution_.solution_steps.push_back({id, std::move(task), std::move(depends_on)});
    return id;
  }

  const ReasoningRequest& request_;
  const Knowledge& knowledge_;
  EvidenceBook book_;
  Solution solution_;
  std::vector<Tool> tools_;
  std::vector<std::string> open_;
  std::string first_step_;
  std::size_t met_ = 0;
  double known_ = 0.0;
};

}  // namespace

Result<Solution> SolveProblem(const ReasoningRequest& request, const Knowledge& knowledge) {
  return Solver(request, knowledge).Solve();
}

}  // namespace seedcore::cognitive::rules
