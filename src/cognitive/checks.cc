#include "cognitive/checks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cognitive/text.h"

namespace seedcore::cognitive {
namespace {

std::unexpected<Error> Broken(std::string message) {
  return Fail(ErrorCode::kInternal, "the answer fails its checks: " + std::move(message));
}

Result<void> CheckShare(std::string_view name, double value) {
  if (value >= 0 && value <= 1) return {};  // false for NaN too
  return Broken(fmt::format("{} is {}", name, value));
}

Result<void> CheckEvidence(const std::vector<Statement>& statements, const std::vector<Evidence>& evidence) {
  std::set<std::string_view> known;
  for (const Evidence& piece : evidence) known.insert(piece.id);
  for (const Statement& statement : statements) {
    for (const std::string& id : statement.evidence) {
      if (!known.contains(id)) return Broken(fmt::format("evidence {} is not listed", id));
    }
  }
  return {};
}

Result<void> CheckRouting(const json::value& value) {
  if (const json::array* array = value.if_array()) {
    for (const json::value& item : *array) SEEDCORE_RETURN_IF_ERROR(CheckRouting(item));
  }
  if (const json::object* object = value.if_object()) {
    for (const auto& member : *object) {
      if (IsRoutingName(member.key())) return Broken(fmt::format("a step names {}", std::string_view(member.key())));
      SEEDCORE_RETURN_IF_ERROR(CheckRouting(member.value()));
    }
  }
  return {};
}

Result<void> CheckSteps(const std::vector<PlanStep>& steps) {
  std::map<std::string_view, std::size_t> waiting;  // step to the number of steps it still waits for
  for (const PlanStep& step : steps) {
    if (!waiting.emplace(step.step_id, step.depends_on.size()).second) return Broken("step id twice: " + step.step_id);
    SEEDCORE_RETURN_IF_ERROR(CheckRouting(step.task.params));
  }
  for (const PlanStep& step : steps) {
    for (const std::string& id : step.depends_on) {
      if (!waiting.contains(id)) return Broken(fmt::format("{} depends on unknown {}", step.step_id, id));
    }
  }
  // Takes away what can run until nothing can; what is left waits for itself.
  std::vector<std::string_view> ready;
  for (const auto& [id, count] : waiting) {
    if (count == 0) ready.push_back(id);
  }
  std::size_t done = 0;
  while (!ready.empty()) {
    const std::string_view id = ready.back();
    ready.pop_back();
    ++done;
    for (const PlanStep& step : steps) {
      for (const std::string& dependency : step.depends_on) {
        if (dependency == id && --waiting[step.step_id] == 0) ready.push_back(step.step_id);
      }
    }
  }
  return done == steps.size() ? Result<void>{} : Broken("the steps wait for each other");
}

Result<void> Check(const FailureAnalysis& answer) {
  SEEDCORE_RETURN_IF_ERROR(CheckShare("confidence_score", answer.confidence_score));
  SEEDCORE_RETURN_IF_ERROR(CheckEvidence(answer.findings, answer.evidence));
  return CheckEvidence(answer.risk_factors, answer.evidence);
}
Result<void> Check(const TaskPlan& answer) {
  SEEDCORE_RETURN_IF_ERROR(CheckShare("confidence", answer.confidence));
  if (!(answer.estimated_complexity >= 1 && answer.estimated_complexity <= 10)) {
    return Broken(fmt::format("estimated_complexity is {}", answer.estimated_complexity));
  }
  if (answer.solution_steps.empty()) return Broken("a plan without steps");
  return CheckSteps(answer.solution_steps);
}
Result<void> Check(const ReasonedDecision& answer) {
  SEEDCORE_RETURN_IF_ERROR(CheckShare("confidence", answer.confidence));
  for (const ScoredOption& option : answer.alternative_options) {
    SEEDCORE_RETURN_IF_ERROR(CheckEvidence(option.reasons, answer.evidence));
  }
  return CheckEvidence(answer.findings, answer.evidence);
}
Result<void> Check(const Solution& answer) {
  SEEDCORE_RETURN_IF_ERROR(CheckShare("confidence", answer.confidence));
  SEEDCORE_RETURN_IF_ERROR(CheckEvidence(answer.findings, answer.evidence));
  SEEDCORE_RETURN_IF_ERROR(CheckEvidence(answer.success_metrics, answer.evidence));
  return CheckSteps(answer.solution_steps);
}
Result<void> Check(const Synthesis& answer) {
  SEEDCORE_RETURN_IF_ERROR(CheckShare("confidence_level", answer.confidence_level));
  return CheckEvidence(answer.findings, answer.evidence);
}
Result<void> Check(const CapabilityAssessment& answer) {
  SEEDCORE_RETURN_IF_ERROR(CheckShare("confidence", answer.confidence));
  SEEDCORE_RETURN_IF_ERROR(CheckEvidence(answer.improvement_plan, answer.evidence));
  return CheckEvidence(answer.priority_recommendations, answer.evidence);
}

std::vector<std::pair<std::string_view, std::string_view>> Prose(const ReasoningOutput& output) {
  struct Visitor {
    using Texts = std::vector<std::pair<std::string_view, std::string_view>>;
    Texts operator()(const FailureAnalysis& a) const {
      return {{"thought", a.thought}, {"proposed_solution", a.proposed_solution}};
    }
    Texts operator()(const TaskPlan& a) const {
      return {{"step_by_step_plan", a.step_by_step_plan}, {"rationale", a.rationale}};
    }
    Texts operator()(const ReasonedDecision& a) const { return {{"reasoning", a.reasoning}, {"decision", a.decision}}; }
    Texts operator()(const Solution& a) const { return {{"solution_approach", a.solution_approach}}; }
    Texts operator()(const Synthesis& a) const { return {{"synthesized_insight", a.synthesized_insight}}; }
    Texts operator()(const CapabilityAssessment&) const { return {}; }
  };
  return std::visit(Visitor{}, output);
}

}  // namespace

bool IsRoutingName(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames{"organ_id",      "instance_id",    "logical_id",      "agent_id",
                                                   "resolve-route", "resolve-routes", "available_organs"};
  return std::ranges::find(kNames, name) != kNames.end();
}

Result<void> CheckOutput(TaskType type, const ReasoningOutput& output) {
  if (output.index() != static_cast<std::size_t>(type)) return Broken("it is of another kind");
  return std::visit([](const auto& answer) { return Check(answer); }, output);
}

std::vector<std::string> FindViolations(const ReasoningOutput& output) {
  std::vector<std::string> violations;
  for (const auto& [field, text] : Prose(output)) {
    const std::vector<std::string> words = Words(text);
    const std::string spaced = fmt::format(" {} ", fmt::join(words, " "));
    for (const std::string_view phrase : {"ssn", "social security", "credit card", "password"}) {
      if (spaced.contains(fmt::format(" {} ", phrase))) {
        violations.push_back(fmt::format("{}: mentions \"{}\"", field, phrase));
      }
    }
    if (text.contains('`')) violations.push_back(fmt::format("{}: holds code", field));
  }
  return violations;
}

}  // namespace seedcore::cognitive
