#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_binding.h"

/// What the six reasoning operations take: one schema for all, as in P§1.3. An operation reads the fields it needs and
/// leaves the others alone.
namespace seedcore::cognitive {

/// The kinds of reasoning (P§5.2).
enum class TaskType {
  kFailureAnalysis,
  kTaskPlanning,
  kDecisionMaking,
  kProblemSolving,
  kMemorySynthesis,
  kCapabilityAssessment,
};
constexpr std::array<std::pair<TaskType, std::string_view>, 6> EnumNames(TaskType) {
  return {{{TaskType::kFailureAnalysis, "failure_analysis"},
           {TaskType::kTaskPlanning, "task_planning"},
           {TaskType::kDecisionMaking, "decision_making"},
           {TaskType::kProblemSolving, "problem_solving"},
           {TaskType::kMemorySynthesis, "memory_synthesis"},
           {TaskType::kCapabilityAssessment, "capability_assessment"}}};
}

/// How much time and context the caller is willing to spend.
enum class Profile { kFast, kDeep };
constexpr std::array<std::pair<Profile, std::string_view>, 2> EnumNames(Profile) {
  return {{{Profile::kFast, "fast"}, {Profile::kDeep, "deep"}}};
}

/// The task to plan for. Without routing: which organ or instance runs a step is decided elsewhere.
struct TaskDescription {
  std::string type;
  std::string domain;
  std::string description;
  json::object params;
  std::string id;
  std::optional<double> drift_score;
  std::optional<int> priority;
  static constexpr auto kFields =
      Fields(Required("type", &TaskDescription::type, "Task type, for example general_query"),
             Optional("domain", &TaskDescription::domain, "Domain; empty for none"),
             Optional("description", &TaskDescription::description, "What is to be done, in words"),
             Optional("params", &TaskDescription::params, "Parameters of the task"),
             Optional("id", &TaskDescription::id, "Id of the task, for logs"),
             Sparse("drift_score", &TaskDescription::drift_score, "Drift of the task, if it is known"),
             Sparse("priority", &TaskDescription::priority, "1 (low) to 10 (urgent)"));
};

struct ReasoningRequest {
  std::string agent_id;
  Profile profile = Profile::kFast;

  json::object incident_context;
  std::string task_description;
  std::optional<TaskDescription> task;
  json::object decision_context;
  json::object historical_data;
  std::string problem_statement;
  json::object constraints;
  json::object available_tools;
  std::vector<json::value> memory_fragments;
  std::string synthesis_goal;
  json::object performance_data;
  json::object current_capabilities;
  json::object target_capabilities;
  json::object knowledge_context;
  json::object context;
  std::string task_id;
  std::string type;

  static constexpr auto kFields = Fields(
      Required("agent_id", &ReasoningRequest::agent_id, "Who asks; any name"),
      Optional("profile", &ReasoningRequest::profile, "fast (5 s, short context) or deep (20 s, long context)"),
      Optional("incident_context", &ReasoningRequest::incident_context,
               "reason-about-failure: anomalies, errors, counters and their meta data"),
      Optional("task_description", &ReasoningRequest::task_description, "plan-task: what is to be done, in words"),
      Sparse("task", &ReasoningRequest::task, "plan-task: the task itself"),
      Optional("decision_context", &ReasoningRequest::decision_context,
               "make-decision: options with costs and benefits, or the finding to act on"),
      Optional("historical_data", &ReasoningRequest::historical_data, "make-decision: earlier outcomes by option"),
      Optional("problem_statement", &ReasoningRequest::problem_statement,
               "solve-problem, plan-task: the problem in words"),
      Optional("constraints", &ReasoningRequest::constraints, "solve-problem, plan-task: limits to respect"),
      Optional("available_tools", &ReasoningRequest::available_tools,
               "solve-problem, plan-task: tool name to description"),
      Optional("memory_fragments", &ReasoningRequest::memory_fragments,
               "synthesize-memory: texts or objects, at most 500"),
      Optional("synthesis_goal", &ReasoningRequest::synthesis_goal, "synthesize-memory: what the synthesis is for"),
      Optional("performance_data", &ReasoningRequest::performance_data, "assess-capabilities: measured figures"),
      Optional("current_capabilities", &ReasoningRequest::current_capabilities, "assess-capabilities: name to level"),
      Optional("target_capabilities", &ReasoningRequest::target_capabilities,
               "assess-capabilities: name to level wanted"),
      Optional("knowledge_context", &ReasoningRequest::knowledge_context,
               "Facts the caller has at hand: {facts, facts_summary}"),
      Optional("context", &ReasoningRequest::context, "plan-task: anything else known about the task"),
      Optional("task_id", &ReasoningRequest::task_id, "Task on whose behalf this is asked"),
      Optional("type", &ReasoningRequest::type, "plan-task: task type, when `task` is not given"));
};

}  // namespace seedcore::cognitive
