#include "coordinator/plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "coordinator/plan_inputs.h"

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

/// What becomes of a dependency that makes no sense.
enum class Nonsense { kWarn, kRefuse };

std::unexpected<Error> Refuse(std::string message, std::string path) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), std::move(path));
}

/// Of an error below `path`.
std::unexpected<Error> Below(const std::string& path, Error error) {
  error.path = error.path.empty() ? path : fmt::format("{}.{}", path, error.path);
  return std::unexpected(std::move(error));
}

/// Finds the steps that dependency tokens name.
class Dependencies {
 public:
  Dependencies(Plan& plan, const json::array& raw, Nonsense nonsense) : plan_(plan), nonsense_(nonsense) {
    for (const json::value& step : raw) {
      const json::value* task = step.get_object().if_contains("task");
      const bool has_task = task != nullptr && task->is_object();
      task_ids_.push_back(has_task ? TextOf(task->get_object(), {"task_id", "id"}) : std::string());
    }
  }

  Result<void> Read(std::size_t step, const json::value& token, const std::string& path) {
    if (++tokens_ > kMaxTokens) return Refuse("too many dependencies", path);
    if (token.is_null()) return {};
    if (token.is_array()) {
      const json::array& elements = token.get_array();
      for (std::size_t i = 0; i < elements.size(); ++i) {
        SEEDCORE_RETURN_IF_ERROR(Read(step, elements[i], fmt::format("{}[{}]", path, i)));
      }
      return {};
    }
    if (token.is_object()) {
      constexpr std::array<std::string_view, 7> kKeys = {
          "task_id", "id", "parent_task_id", "source_task_id", "step_id", "child_task_id", "task"};
      for (const std::string_view key : kKeys) {
        const json::value* value = token.get_object().if_contains(key);
        if (value != nullptr) return Read(step, *value, fmt::format("{}.{}", path, key));
      }
      return Tell(step, "names no step", token, path);
    }
    const auto target = Find(token);
    if (!target) return Tell(step, "names no step", token, path);
    if (*target == step) return Tell(step, "names the step itself", token, path);
    auto& depends_on = plan_.steps[step].depends_on;
    if (std::ranges::find(depends_on, *target) != depends_on.end()) return Tell(step, "is there twice", token, path);
    depends_on.push_back(*target);
    return {};
  }

 private:
  Result<void> Tell(std::size_t step, std::string_view what, const json::value& token, const std::string& path) {
    std::string text =
        fmt::format("step '{}': the dependency {} {}", plan_.steps[step].id, WriteJson(token).substr(0, 100), what);
    if (nonsense_ == Nonsense::kRefuse) return Refuse(std::move(text), path);
    plan_.warnings.push_back(std::move(text));
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
  const Nonsense nonsense_;
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

template <class T>
Result<T> ReadMember(const json::value& value, const char* name) {
  auto read = FromJson<T>(value);
  if (!read) return Below(name, std::move(read).error());
  return read;
}

/// What the step does.
Result<void> ReadStep(const json::object& raw, PlanStep& step) {
  const json::value* task = raw.if_contains("task");
  const json::value* hold = raw.if_contains("hold");
  if (hold != nullptr && !hold->is_null()) {
    if (task != nullptr) return Fail(ErrorCode::kInvalidArgument, "a step is a task or a hold, not both");
    SEEDCORE_ASSIGN_OR_RETURN(step.hold, ReadMember<StepHold>(*hold, "hold"));
    return {};
  }
  if (task == nullptr || !task->is_object()) return Fail(ErrorCode::kInvalidArgument, "the step has no task object");
  step.task = task->get_object();
  if (const json::value* retry = raw.if_contains("retry"); retry != nullptr && !retry->is_null()) {
    SEEDCORE_ASSIGN_OR_RETURN(step.retry, ReadMember<StepRetry>(*retry, "retry"));
  }
  if (const json::value* timeout = raw.if_contains("timeout_s"); timeout != nullptr && !timeout->is_null()) {
    SEEDCORE_ASSIGN_OR_RETURN(step.timeout_s, ReadMember<double>(*timeout, "timeout_s"));
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

Result<Plan> Parse(const json::array& steps, std::size_t max_steps, Nonsense nonsense, const std::string& path) {
  if (steps.empty()) return Refuse("the plan has no steps", path);
  if (steps.size() > max_steps) {
    return Refuse(fmt::format("the plan has {} steps; at most {} are allowed", steps.size(), max_steps), path);
  }
  const auto path_of = [&](std::size_t step) { return fmt::format("{}[{}]", path, step); };
  Plan plan;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].is_object()) return Refuse("expected an object, got " + DescribeJson(steps[i]), path_of(i));
    const json::object& raw = steps[i].get_object();
    PlanStep step{.id = TextOf(raw, {"step_id", "id"}), .task = {}, .depends_on = {}};
    if (auto read = ReadStep(raw, step); !read) return Below(path_of(i), std::move(read).error());
    if (step.id.empty()) step.id = fmt::format("step_{}", i);
    if (!ids.insert(step.id).second) return Refuse(fmt::format("the id '{}' is used twice", step.id), path_of(i));
    plan.steps.push_back(std::move(step));
  }
  Dependencies dependencies(plan, steps, nonsense);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::array<std::pair<const json::object*, const char*>, 2> places{
        {{&steps[i].get_object(), "depends_on"}, {&std::as_const(plan.steps[i].task), "task.depends_on"}}};
    for (const auto& [object, name] : places) {
      const json::value* depends_on = object->if_contains("depends_on");
      if (depends_on == nullptr) continue;
      SEEDCORE_RETURN_IF_ERROR(dependencies.Read(i, *depends_on, fmt::format("{}.{}", path_of(i), name)));
    }
    std::ranges::sort(plan.steps[i].depends_on);
    plan.steps[i].task.erase("depends_on");
  }
  if (const auto cycle = FindCycle(plan)) {
    return Refuse(fmt::format("the step '{}' waits for itself through its dependencies", plan.steps[*cycle].id),
                  path_of(*cycle) + ".depends_on");
  }
  return plan;
}

/// What a person may have got wrong in a step, beside what it waits for.
Result<void> CheckByHand(const Plan& plan, const PlanStep& step, const json::object& raw) {
  constexpr std::array<std::string_view, 7> kKnown = {"step_id", "id",         "task",     "hold",
                                                      "retry",   "depends_on", "timeout_s"};
  for (const auto& member : raw) {
    const std::string_view name = member.key();
    if (std::ranges::find(kKnown, name) == kKnown.end()) {
      return Refuse(fmt::format("a step has no member '{}'", name), std::string(name));
    }
  }
  for (const char* name : {"step_id", "id"}) {
    const json::value* id = raw.if_contains(name);
    if (id != nullptr && !id->is_null() && !id->is_string()) {
      return Refuse("expected a text, got " + DescribeJson(*id), name);
    }
  }
  if (step.hold) return {};
  if (TextOf(step.task, {"type"}).empty()) return Refuse("the task of a step needs a type", "task.type");
  const json::value* params = step.task.if_contains("params");
  if (params == nullptr) return {};
  if (!params->is_object()) return Refuse("expected an object, got " + DescribeJson(*params), "task.params");
  std::vector<std::string> ids;
  for (const std::size_t dependency : step.depends_on) ids.push_back(plan.steps[dependency].id);
  if (auto checked = CheckReferences(*params, ids); !checked) return Below("task.params", std::move(checked).error());
  return {};
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
  return Parse(steps, max_steps, Nonsense::kWarn, "steps");
}

Result<Plan> ReadWorkflow(const json::object& params, std::size_t max_steps) {
  const std::string path = "params.steps";
  const json::value* steps = params.if_contains("steps");
  if (steps == nullptr || !steps->is_array()) return Refuse("a workflow brings its steps, a list of objects", path);
  SEEDCORE_ASSIGN_OR_RETURN(Plan plan, Parse(steps->get_array(), max_steps, Nonsense::kRefuse, path));
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    auto checked = CheckByHand(plan, plan.steps[i], steps->get_array()[i].get_object());
    if (!checked) return Below(fmt::format("{}[{}]", path, i), std::move(checked).error());
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
