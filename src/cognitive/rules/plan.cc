// Plans: a graph of steps from the type of the task and the shape of its question.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/strings.h"
#include "cognitive/checks.h"
#include "cognitive/rules/cues.h"
#include "cognitive/rules/evidence.h"
#include "cognitive/rules/questions.h"
#include "cognitive/rules/rules.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

/// What a task of a known type looks like (P§5.2): its domain, parameters with defaults, and how sure such a plan is.
struct KnownType {
  std::string_view type;
  std::string_view domain;
  double confidence;
  std::string_view required;  ///< a parameter without which the task can't do anything; empty: none
  int k = 0;                  ///< default of params.k; 0: has none
  int topk = 0;
};
constexpr std::array<KnownType, 17> kKnownTypes{{
    {"graph_embed", "graph", 0.8, "start_node_ids", 2, 0},
    {"graph_embed_v2", "graph", 0.9, "start_node_ids", 2, 0},
    {"graph_rag_query", "graph", 0.8, "start_node_ids", 2, 10},
    {"graph_rag_query_v2", "graph", 0.9, "start_node_ids", 2, 10},
    {"graph_sync_nodes", "graph", 0.7, "node_ids", 0, 0},
    {"graph_fact_embed", "facts", 0.8, "start_fact_ids", 2, 0},
    {"graph_fact_query", "facts", 0.8, "start_fact_ids", 2, 10},
    {"fact_search", "facts", 0.8, "query", 0, 0},
    {"fact_store", "facts", 0.9, "text", 0, 0},
    {"artifact_manage", "management", 0.8, "action", 0, 0},
    {"capability_manage", "management", 0.8, "action", 0, 0},
    {"memory_cell_manage", "management", 0.8, "action", 0, 0},
    {"model_manage", "management", 0.8, "action", 0, 0},
    {"policy_manage", "management", 0.8, "action", 0, 0},
    {"service_manage", "management", 0.8, "action", 0, 0},
    {"skill_manage", "management", 0.8, "action", 0, 0},
    {"health_check", "", 0.9, "", 0, 0},
}};
constexpr double kSplitConfidence = 0.7;
constexpr double kTriageConfidence = 0.8;
constexpr double kSingleStepConfidence = 0.6;
constexpr double kUnknownConfidence = 0.4;
constexpr std::size_t kMaxContextQuery = 300;

std::string NormalizeDomain(const std::string& domain) {
  std::string lower = ToLower(Trim(domain));
  if (lower == "fact") return "facts";
  if (lower == "admin" || lower == "mgmt") return "management";
  if (lower == "util") return "utility";
  return lower;
}

/// The parameters without members that say where to run: a plan does not decide that.
json::object WithoutRouting(const json::object& params, bool& removed) {
  json::object clean;
  for (const auto& member : params) {
    if (IsRoutingName(member.key())) {
      removed = true;
    } else if (const json::object* inner = member.value().if_object()) {
      clean[member.key()] = WithoutRouting(*inner, removed);
    } else if (const json::array* array = member.value().if_array()) {
      json::array items;
      for (const json::value& item : *array) {
        if (const json::object* object = item.if_object()) {
          items.emplace_back(WithoutRouting(*object, removed));
        } else {
          items.push_back(item);
        }
      }
      clean[member.key()] = std::move(items);
    } else {
      clean[member.key()] = member.value();
    }
  }
  return clean;
}

class Planner {
 public:
  Planner(const ReasoningRequest& request, const Knowledge& knowledge) : request_(request), knowledge_(knowledge) {}

  Result<TaskPlan> Plan() {
    SEEDCORE_ASSIGN_OR_RETURN(task_, OriginalTask());
    if (task_.type == "anomaly_triage") {
      PlanTriage();
    } else if (task_.type == "general_query" && PlanQuestions()) {
    } else {
      PlanSingleStep();
    }
    return Finish();
  }

 private:
  Result<StepTask> OriginalTask() {
    StepTask task;
    if (request_.task) {
      task.type = ToLower(Trim(request_.task->type));
      task.domain = NormalizeDomain(request_.task->domain);
      task.description = request_.task->description;
      bool removed = false;
      task.params = WithoutRouting(request_.task->params, removed);
      if (removed) plan_.rationale = "Members that say where to run were left out of the parameters. ";
      if (task.type.empty()) return Fail(ErrorCode::kInvalidArgument, "must not be empty", "task.type");
    }
    if (task.description.empty()) {
      task.description = request_.task_description.empty() ? request_.problem_statement : request_.task_description;
    }
    if (task.type.empty()) task.type = ToLower(Trim(request_.type));
    if (task.type.empty() && Trim(task.description).empty()) {
      return Fail(ErrorCode::kInvalidArgument, "give a task, or text in task_description or problem_statement",
                  "task_description");
    }
    if (task.type.empty()) task.type = "general_query";
    return task;
  }

  PlanStep& AddStep(StepTask task, std::vector<std::string> depends_on = {}) {
    plan_.solution_steps.push_back(
        {fmt::format("step_{}", plan_.solution_steps.size() + 1), std::move(task), std::move(depends_on)});
    return plan_.solution_steps.back();
  }

  /// The triage looks at the values; what is known about the matter is looked up beside it.
  void PlanTriage() {
    AddStep({.type = "fact_search",
             .domain = "facts",
             .description = "What is known about it",
             .params = {{"query", Shorten(ContextQuery(), kMaxContextQuery)}}});
    AddStep(task_);
    plan_.rationale += "The triage and a search for known causes don't need each other and run side by side.";
    plan_.confidence = kTriageConfidence;
  }

  [[nodiscard]] std::string ContextQuery() const {
    std::string query = task_.description.empty() ? "anomaly" : task_.description;
    if (const json::value* context = task_.params.if_contains("context"))
      query += " " + FlattenJson(*context, kMaxContextQuery);
    return query;
  }

  /// False when the question is one.
  bool PlanQuestions() {
    const QuestionParts parts = SplitQuestion(task_.description);
    if (parts.questions.size() < 2) return false;
    for (const std::string& question : parts.questions) {
      StepTask step = task_;
      step.description = question;
      for (auto& member : step.params) {
        // The question often stands in the parameters too; each part asks its own.
        if (member.value().is_string() &&
            Trim(std::string_view(member.value().get_string())) == Trim(task_.description)) {
          member.value() = question;
        }
      }
      std::vector<std::string> depends_on;
      if (parts.in_sequence && !plan_.solution_steps.empty()) depends_on.push_back(plan_.solution_steps.back().step_id);
      AddStep(std::move(step), std::move(depends_on));
    }
    plan_.rationale += fmt::format("The question has {} parts that {}.", parts.questions.size(),
                                   parts.in_sequence ? "follow from each other" : "don't need each other");
    plan_.confidence = kSplitConfidence;
    return true;
  }

  void PlanSingleStep() {
    const auto known = std::ranges::find(kKnownTypes, task_.type, &KnownType::type);
    PlanStep& step = AddStep(task_);
    if (known == kKnownTypes.end()) {
      const bool usual = task_.type == "general_query" || task_.type == "execute";
      plan_.confidence = usual ? kSingleStepConfidence : kUnknownConfidence;
      plan_.rationale += usual
                             ? "One step is enough: the task has no parts that could run on their own."
                             : fmt::format("Tasks of type {} are not known here and are left as they are.", task_.type);
      return;
    }
    if (!known->domain.empty()) step.task.domain = known->domain;
    if (known->k > 0 && !step.task.params.contains("k")) step.task.params["k"] = known->k;
    if (known->topk > 0 && !step.task.params.contains("topk")) step.task.params["topk"] = known->topk;
    FillQuery(*known, step.task);
    plan_.confidence = known->confidence;
    plan_.rationale += fmt::format("Tasks of type {} are one step with known parameters.", task_.type);
    if (!known->required.empty() && !step.task.params.contains(known->required)) {
      plan_.confidence = Round3(known->confidence / 2);
      risks_.push_back(fmt::format("params.{} is missing.", known->required));
    }
  }

  static void FillQuery(const KnownType& known, StepTask& task) {
    const bool takes_text = known.required == "query" || known.required == "text";
    if (takes_text && !task.params.contains(known.required) && !Trim(task.description).empty()) {
      task.params[known.required] = task.description;
    }
  }

  Result<TaskPlan> Finish() {
    if (knowledge_.sufficiency.conflict_count > 0) {
      risks_.push_back(fmt::format("{} among the known facts.",
                                   Counted(static_cast<std::size_t>(knowledge_.sufficiency.conflict_count) / 2,
                                           "contradiction", "contradictions")));
    }
    if (plan_.solution_steps.size() > 1) risks_.push_back("The whole fails when one step fails for good.");
    plan_.risk_assessment = risks_.empty() ? "Nothing speaks against it." : fmt::format("{}", fmt::join(risks_, " "));
    plan_.estimated_complexity = Complexity();
    for (const PlanStep& step : plan_.solution_steps) {
      plan_.step_by_step_plan +=
          fmt::format("{}{}: {}{}{}", plan_.step_by_step_plan.empty() ? "" : "\n", step.step_id, step.task.type,
                      step.task.description.empty() ? "" : ": " + Shorten(step.task.description, 200),
                      step.depends_on.empty() ? "" : fmt::format(" (after {})", JoinWords(step.depends_on)));
    }
    plan_.meta = {.escalate_hint = knowledge_.escalate_hint,
                  .sufficiency = knowledge_.sufficiency,
                  .confidence = plan_.confidence,
                  .plan_type = "cognitive_proposal",
                  .step_count = static_cast<int>(plan_.solution_steps.size()),
                  .planner_timings_ms = {}};
    return std::move(plan_);
  }

  /// 1 + one for each step and each waiting beyond the first, half for each constraint, one for each 40 words; 1 to 10.
  [[nodiscard]] double Complexity() const {
    double waits = 0;
    for (const PlanStep& step : plan_.solution_steps) waits += static_cast<double>(step.depends_on.size());
    const double words = static_cast<double>(Words(task_.description).size());
    const double complexity = static_cast<double>(plan_.solution_steps.size()) + waits +
                              0.5 * static_cast<double>(request_.constraints.size()) + words / 40;
    return std::clamp(Round3(complexity), 1.0, 10.0);
  }

  const ReasoningRequest& request_;
  const Knowledge& knowledge_;
  StepTask task_;
  TaskPlan plan_;
  std::vector<std::string> risks_;
};

}  // namespace

Result<TaskPlan> PlanTask(const ReasoningRequest& request, const Knowledge& knowledge) {
  return Planner(request, knowledge).Plan();
}

}  // namespace seedcore::cognitive::rules
