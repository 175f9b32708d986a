#include "coordinator/plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace seedcore::coordinator {
namespace {

constexpr std::size_t kMaxTokens = 1000;  // dependencies of one plan, before duplicates are dropped

std::string TextOf(const json::object& object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const json::value* value = object.if_contains(key);
    if (value != nullptr && value->is_string() && !value->get_string().empty()) return std::string(value->get_string());
  }
  return {};
}

/// Finds the steps that dependency tokens name.
class Dependencies {
 public:
  Dependencies(Plan& plan, const json::array& raw) : plan_(plan) {
    for (const json::value& step : raw) {
      const json::value* task = step.get_object().if_contains("task");
      const bool has_task = task != nullptr && task->is_object();
      task_ids_.push_back(has_task ? TextOf(task->get_object(), {"task_id", "id"}) : std::string());
    }
  }

  Result<void> Read(std::size_t step, const json::value& token) {
    if (++tokens_ > kMaxTokens) return Fail(ErrorCode::kInvalidArgument, "too many dependencies");
    if (token.is_null()) return {};
    if (token.is_array()) {
      for (const json::value& element : token.get_array()) SEEDCORE_RETURN_IF_ERROR(Read(step, element));
      return {};
    }
    if (token.is_object()) {
      constexpr std::array<std::string_view, 7> kKeys = {
          "task_id", "id", "parent_task_id", "source_task_id", "step_id", "child_task_id", "task"};
      for (const std::string_view key : kKeys) {
        if (const json::value* value = token.get_object().if_contains(key)) return Read(step, *value);
      }
      return Warn(step, "names no step", token);
    }
    const auto target = Find(token);
    if (!target) return Warn(step, "names no step", token);
    if (*target == step) return Warn(step, "names the step itself", token);
    auto& depends_on = plan_.steps[step].depends_on;
    if (std::ranges::find(depends_on, *target) != depends_on.end()) return Warn(step, "is there twice", token);
    depends_on.push_back(*target);
    return {};
  }

 private:
  Result<void> Warn(std::size_t step, std::string_view what, const json::value& token) {
    plan_.warnings.push_back(
        fmt::format("step '{}': the dependency {} {}", plan_.steps[step].id, WriteJson(token).substr(0, 100), what));
    return {};
  }

  [[nodiscard]] std::optional<std::size_t> Find(const json::value& token) const {
    std::uint64_t index = plan_.steps.size();
    if (token.is_int64() && token.get_int64() >= 0) index = static_cast<std::uint64_t>(token.get_int64());
    if (token.is_string()) {
      const std::string_view text = token.get_string();
      for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
        if (text == plan_.steps[i].id || (!text.empty() && text == task_ids_[i])) return i;
      }
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
      if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    }
    if (index >= plan_.steps.size()) return std::nullopt;
    return static_cast<std::size_t>(index);
  }

  Plan& plan_;
  std::vector<std::string> task_ids_;
  std::size_t tokens_ = 0;
};

constexpr int kMaxStepAttempts = 20;
constexpr double kMaxSeconds = 366 * 86'400.0;

Result<void> CheckSeconds(double value, std::string path) {
  if (value >= 0.0 && value <= kMaxSeconds) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 0 to {} seconds, got {}", kMaxSeconds, value),
              std::move(path));
}

/// What the step does.
Result<void> ReadStep(const json::object& raw, PlanStep& step) {
  const json::value* task = raw.if_contains("task");
  const json::value* hold = raw.if_contains("hold");
  if (hold != nullptr && !hold->is_null()) {
    if (task != nullptr) return Fail(ErrorCode::kInvalidArgument, "a step is a task or a hold, not both");
    SEEDCORE_ASSIGN_OR_RETURN(step.hold, FromJson<StepHold>(*hold));
    return {};
  }
  if (task == nullptr || !task->is_object()) return Fail(ErrorCode::kInvalidArgument, "the step has no task object");
  step.task = task->get_object();
  if (const json::value* retry = raw.if_contains("retry"); retry != nullptr && !retry->is_null()) {
    SEEDCORE_ASSIGN_OR_RETURN(step.retry, FromJson<StepRetry>(*retry));
  }
  if (const json::value* timeout = raw.if_contains("timeout_s"); timeout != nullptr && !timeout->is_null()) {
    SEEDCORE_ASSIGN_OR_RETURN(step.timeout_s, FromJson<double>(*timeout));
    SEEDCORE_RETURN_IF_ERROR(CheckSeconds(*step.timeout_s, "timeout_s"));
  }
  return {};
}

/// A step on a cycle, if there is one (Kahn 1962).
std::optional<std::size_t> FindCycle(const Plan& plan) {
  std::vector<bool> ordered(plan.steps.size(), false);
  for (std::size_t round = 0; round < plan.steps.size(); ++round) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      ordered[i] = ordered[i] || std::ranges::all_of(plan.steps[i].depends_on, [&](auto d) { return ordered[d]; });
    }
  }
  const auto left = std::ranges::find(ordered, false);
  if (left == ordered.end()) return std::nullopt;
  return static_cast<std::size_t>(left - ordered.begin());
}

}  // namespace

Result<void> StepRetry::Validate() const {
  if (max_attempts < 1 || max_attempts > kMaxStepAttempts) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}, got {}", kMaxStepAttempts, max_attempts),
                "max_attempts");
  }
  SEEDCORE_RETURN_IF_ERROR(CheckSeconds(base_s, "base_s"));
  return CheckSeconds(max_s, "max_s");
}

Result<void> StepHold::Validate() const {
  if (!timeout_s) return {};
  return CheckSeconds(*timeout_s, "timeout_s");
}

json::object SpecOf(const PlanStep& step) {
  json::object spec;
  if (step.hold) {
    spec["hold"] = seedcore::ToJson(*step.hold);
    return spec;
  }
  spec["task"] = step.task;
  if (step.retry.max_attempts > 1) spec["retry"] = seedcore::ToJson(step.retry);
  if (step.timeout_s) spec["timeout_s"] = *step.timeout_s;
  return spec;
}

Result<Plan> ParsePlan(const json::array& steps, std::size_t max_steps) {
  const auto refuse = [](std::size_t i, std::string message) {
    return Fail(ErrorCode::kInvalidArgument, std::move(message), fmt::format("steps[{}]", i));
  };
  if (steps.empty()) return Fail(ErrorCode::kInvalidArgument, "the plan has no steps", "steps");
  if (steps.size() > max_steps) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the plan has {} steps; at most {} are allowed", steps.size(), max_steps), "steps");
  }
  Plan plan;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].is_object()) return refuse(i, "expected an object, got " + DescribeJson(steps[i]));
    const json::object& raw = steps[i].get_object();
    PlanStep step{.id = TextOf(raw, {"step_id", "id"}), .task = {}, .depends_on = {}};
    if (auto read = ReadStep(raw, step); !read) return refuse(i, ToString(read.error()));
    if (step.id.empty()) step.id = fmt::format("step_{}", i);
    if (!ids.insert(step.id).second) return refuse(i, fmt::format("the id '{}' is used twice", step.id));
    plan.steps.push_back(std::move(step));
  }
  Dependencies dependencies(plan, steps);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const json::object* object : {&steps[i].get_object(), &std::as_const(plan.steps[i].task)}) {
      const json::value* depends_on = object->if_contains("depends_on");
      if (depends_on == nullptr) continue;
      if (auto read = dependencies.Read(i, *depends_on); !read) return refuse(i, read.error().message);
    }
    std::ranges::sort(plan.steps[i].depends_on);
    plan.steps[i].task.erase("depends_on");
  }
  if (const auto cycle = FindCycle(plan)) {
    return refuse(*cycle,
                  fmt::format("the step '{}' waits for itself through its dependencies", plan.steps[*cycle].id));
  }
  return plan;
}

json::array ToJson(const Plan& plan) {
  json::array steps;
  for (const PlanStep& step : plan.steps) {
    json::array depends_on;
    for (const std::size_t dependency : step.depends_on) depends_on.push_back(json::string(plan.steps[dependency].id));
    json::object object = SpecOf(step);
    object["step_id"] = step.id;
    object["depends_on"] = std::move(depends_on);
    steps.push_back(std::move(object));
  }
  return steps;
}

}  // namespace seedcore::coordinator
