#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_binding.h"
#include "cognitive/request.h"

/// What reasoning returns. Every statement names the evidence it rests on; what nothing supports is not said.
namespace seedcore::cognitive {

/// What may be done about a finding. A closed set, so that a caller can act on it without reading prose.
enum class Action {
  kIgnore,       ///< nothing calls for action
  kHold,         ///< wait and keep watching; also the answer to too little evidence
  kInvestigate,  ///< a person or a deeper analysis should look
  kRetry,        ///< a passing failure: the same work again
  kScaleUp,      ///< demand has outgrown capacity
  kEscalate,     ///< serious and well supported: act now
};
constexpr std::array<std::pair<Action, std::string_view>, 6> EnumNames(Action) {
  return {{{Action::kIgnore, "ignore"},
           {Action::kHold, "hold"},
           {Action::kInvestigate, "investigate"},
           {Action::kRetry, "retry"},
           {Action::kScaleUp, "scale_up"},
           {Action::kEscalate, "escalate"}}};
}

/// One piece of evidence. `id` is "context:<path>" for what the caller gave, "stat:<name>" for what was computed from
/// it, "fact:<id>" and "incident:<id>" for what was retrieved.
struct Evidence {
  std::string id;
  std::string text;
  static constexpr auto kFields =
      Fields(Required("id", &Evidence::id, "Where it comes from"), Required("text", &Evidence::text, "What it says"));
};

/// A sentence and the ids of the evidence behind it.
struct Statement {
  std::string text;
  std::vector<std::string> evidence;
  static constexpr auto kFields = Fields(Required("text", &Statement::text, "The statement"),
                                         Required("evidence", &Statement::evidence, "Ids of the evidence it rests on"));
};

struct FailureAnalysis {
  std::string thought;
  std::string proposed_solution;
  Action action = Action::kHold;
  double confidence_score = 0.0;
  std::vector<Statement> findings;
  std::vector<Statement> risk_factors;
  std::vector<std::string> solution_evidence;
  std::vector<Evidence> evidence;
  static constexpr auto kFields = Fields(
      Required("thought", &FailureAnalysis::thought, "What the evidence shows"),
      Required("proposed_solution", &FailureAnalysis::proposed_solution, "What to do about it"),
      Required("action", &FailureAnalysis::action, "The same as an action"),
      Required("confidence_score", &FailureAnalysis::confidence_score, "0 to 1, from amount and agreement of evidence"),
      Required("findings", &FailureAnalysis::findings, "Each statement of `thought` with its evidence"),
      Required("risk_factors", &FailureAnalysis::risk_factors, "What may make it worse"),
      Required("solution_evidence", &FailureAnalysis::solution_evidence, "Evidence behind `proposed_solution`"),
      Required("evidence", &FailureAnalysis::evidence, "Everything that was looked at"));
};

/// How well the retrieved facts cover the question (P§5.4 no. 8). All 0 when nothing was retrieved.
struct Sufficiency {
  double coverage = 0.0;
  double diversity = 0.0;
  double agreement = 0.0;
  int conflict_count = 0;
  double staleness_ratio = 0.0;
  double trust_score = 0.0;
  int token_budget = 0;
  int token_est = 0;
  static constexpr auto kFields =
      Fields(Required("coverage", &Sufficiency::coverage, "Share of facts with a score above 0.5"),
             Required("diversity", &Sufficiency::diversity, "1 - mean pairwise word overlap"),
             Required("agreement", &Sufficiency::agreement, "1 - conflicts per fact"),
             Required("conflict_count", &Sufficiency::conflict_count, "Contradictions between facts"),
             Required("staleness_ratio", &Sufficiency::staleness_ratio, "Share of facts older than an hour"),
             Required("trust_score", &Sufficiency::trust_score, "Mean trust"),
             Required("token_budget", &Sufficiency::token_budget, "Tokens allowed for facts"),
             Required("token_est", &Sufficiency::token_est, "Tokens used"));
};

/// What is to be done in one step of a plan.
struct StepTask {
  std::string type;
  std::string domain;
  std::string description;
  json::object params;
  static constexpr auto kFields = Fields(
      Required("type", &StepTask::type, "Task type"), Optional("domain", &StepTask::domain, "Domain; empty for none"),
      Optional("description", &StepTask::description, "What is to be done, in words"),
      Optional("params", &StepTask::params, "Parameters"));
};

struct PlanStep {
  std::string step_id;
  StepTask task;
  std::vector<std::string> depends_on;
  static constexpr auto kFields = Fields(
      Required("step_id", &PlanStep::step_id, "Unique in the plan"), Required("task", &PlanStep::task, "What to run"),
      Optional("depends_on", &PlanStep::depends_on, "step_id of the steps that must be completed before"));
};

struct PlanMeta {
  bool escalate_hint = false;
  Sufficiency sufficiency;
  double confidence = 0.0;
  std::string plan_type = "cognitive_proposal";
  int step_count = 0;
  std::map<std::string, double> planner_timings_ms;
  static constexpr auto kFields =
      Fields(Required("escalate_hint", &PlanMeta::escalate_hint, "The facts are thin: the deep profile may do better"),
             Required("sufficiency", &PlanMeta::sufficiency, "How well the facts cover the task"),
             Required("confidence", &PlanMeta::confidence, "As TaskPlan.confidence"),
             Required("plan_type", &PlanMeta::plan_type, "Always cognitive_proposal"),
             Required("step_count", &PlanMeta::step_count, "Number of steps"),
             Required("planner_timings_ms", &PlanMeta::planner_timings_ms, "retrieve_ms, budget_ms, plan_build_ms"));
};

/// A graph of steps without cycles; steps whose dependencies are met may run side by side. It never names organs.
struct TaskPlan {
  std::vector<PlanStep> solution_steps;
  std::string step_by_step_plan;
  double estimated_complexity = 1.0;
  std::string risk_assessment;
  std::string rationale;
  double confidence = 0.0;
  PlanMeta meta;
  static constexpr auto kFields = Fields(
      Required("solution_steps", &TaskPlan::solution_steps, "The plan"),
      Required("step_by_step_plan", &TaskPlan::step_by_step_plan, "The plan for people, one line a step"),
      Required("estimated_complexity", &TaskPlan::estimated_complexity, "1 to 10, from steps, depth and constraints"),
      Required("risk_assessment", &TaskPlan::risk_assessment, "What may go wrong"),
      Required("rationale", &TaskPlan::rationale, "Why these steps"),
      Required("confidence", &TaskPlan::confidence, "0 to 1"), Required("meta", &TaskPlan::meta, "About the plan"));
};

struct ScoredOption {
  std::string option;
  double score = 0.0;
  std::vector<Statement> reasons;
  static constexpr auto kFields = Fields(Required("option", &ScoredOption::option, "The option"),
                                         Required("score", &ScoredOption::score, "Utility; higher is better"),
                                         Required("reasons", &ScoredOption::reasons, "What the score is made of"));
};

struct ReasonedDecision {
  std::string decision;
  Action action = Action::kHold;
  std::string reasoning;
  double confidence = 0.0;
  std::vector<Statement> findings;
  std::vector<ScoredOption> alternative_options;
  std::vector<Evidence> evidence;
  static constexpr auto kFields = Fields(
      Required("decision", &ReasonedDecision::decision,
               "The option chosen; the action's name when no options were given"),
      Required("action", &ReasonedDecision::action, "The decision as an action; hold for an option that is not one"),
      Required("reasoning", &ReasonedDecision::reasoning, "Why"),
      Required("confidence", &ReasonedDecision::confidence, "0 to 1"),
      Required("findings", &ReasonedDecision::findings, "Each statement of `reasoning` with its evidence"),
      Required("alternative_options", &ReasonedDecision::alternative_options, "The options not chosen, best first"),
      Required("evidence", &ReasonedDecision::evidence, "Everything that was looked at"));
};

struct Solution {
  std::string solution_approach;
  std::vector<PlanStep> solution_steps;
  std::vector<Statement> success_metrics;
  std::vector<Statement> findings;
  double confidence = 0.0;
  std::vector<Evidence> evidence;
  static constexpr auto kFields =
      Fields(Required("solution_approach", &Solution::solution_approach, "The idea"),
             Required("solution_steps", &Solution::solution_steps, "The steps"),
             Required("success_metrics", &Solution::success_metrics, "How to tell that it worked"),
             Required("findings", &Solution::findings, "Statements with their evidence"),
             Required("confidence", &Solution::confidence, "0 to 1"),
             Required("evidence", &Solution::evidence, "Everything that was looked at"));
};

/// Something several fragments have in common.
struct Pattern {
  std::string pattern;
  int count = 0;
  std::vector<std::string> evidence;
  static constexpr auto kFields = Fields(Required("pattern", &Pattern::pattern, "The words or values in common"),
                                         Required("count", &Pattern::count, "Number of fragments that share it"),
                                         Required("evidence", &Pattern::evidence, "Those fragments"));
};

struct Synthesis {
  std::string synthesized_insight;
  double confidence_level = 0.0;
  std::vector<Pattern> related_patterns;
  std::vector<Statement> findings;
  std::vector<Evidence> evidence;
  static constexpr auto kFields = Fields(
      Required("synthesized_insight", &Synthesis::synthesized_insight, "The most telling sentences, as they were"),
      Required("confidence_level", &Synthesis::confidence_level, "0 to 1"),
      Required("related_patterns", &Synthesis::related_patterns, "What fragments share, most frequent first"),
      Required("findings", &Synthesis::findings, "Each sentence of the insight with its fragments"),
      Required("evidence", &Synthesis::evidence, "The fragments"));
};

struct CapabilityGap {
  std::string capability;
  double current = 0.0;
  double target = 0.0;
  double gap = 0.0;
  double relative_gap = 0.0;
  std::vector<std::string> evidence;
  static constexpr auto kFields =
      Fields(Required("capability", &CapabilityGap::capability, "Name"),
             Required("current", &CapabilityGap::current, "Level now; 0 when it is not there"),
             Required("target", &CapabilityGap::target, "Level wanted"),
             Required("gap", &CapabilityGap::gap, "target - current, above 0"),
             Required("relative_gap", &CapabilityGap::relative_gap, "gap / |target|"),
             Required("evidence", &CapabilityGap::evidence, "Where the levels come from"));
};

struct CapabilityAssessment {
  std::vector<CapabilityGap> capability_gaps;
  std::vector<Statement> improvement_plan;
  std::vector<Statement> priority_recommendations;
  double confidence = 0.0;
  std::vector<Evidence> evidence;
  static constexpr auto kFields =
      Fields(Required("capability_gaps", &CapabilityAssessment::capability_gaps, "Largest relative gap first"),
             Required("improvement_plan", &CapabilityAssessment::improvement_plan, "What to raise, in order"),
             Required("priority_recommendations", &CapabilityAssessment::priority_recommendations, "What matters most"),
             Required("confidence", &CapabilityAssessment::confidence, "0 to 1"),
             Required("evidence", &CapabilityAssessment::evidence, "Everything that was looked at"));
};

/// How an answer came about.
struct ReasoningMetadata {
  std::string path = "cognitive_reasoning";
  std::string provider;
  Profile profile = Profile::kFast;
  bool cache_hit = false;
  bool escalate_hint = false;
  Sufficiency sufficiency;
  std::vector<std::string> facts_used;
  std::vector<std::string> incidents_used;
  std::vector<std::string> violations;
  double retrieve_ms = 0.0;
  double reason_ms = 0.0;
  static constexpr auto kFields = Fields(
      Required("path", &ReasoningMetadata::path, "Always cognitive_reasoning"),
      Required("provider", &ReasoningMetadata::provider, "Who reasoned; `rules` uses no language model"),
      Required("profile", &ReasoningMetadata::profile, "fast or deep"),
      Required("cache_hit", &ReasoningMetadata::cache_hit, "The answer was computed earlier, from the same evidence"),
      Required("escalate_hint", &ReasoningMetadata::escalate_hint,
               "The facts are thin: the deep profile may do better"),
      Required("sufficiency", &ReasoningMetadata::sufficiency, "How well the retrieved facts cover the question"),
      Required("facts_used", &ReasoningMetadata::facts_used, "Ids of retrieved facts that were handed to the provider"),
      Required("incidents_used", &ReasoningMetadata::incidents_used, "The same for incidents"),
      Required("violations", &ReasoningMetadata::violations, "What the checks of the answer found"),
      Required("retrieve_ms", &ReasoningMetadata::retrieve_ms, "Time for retrieval"),
      Required("reason_ms", &ReasoningMetadata::reason_ms, "Time in the provider; 0 for a cache hit"));
};

}  // namespace seedcore::cognitive
