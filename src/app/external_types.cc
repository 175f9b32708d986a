#include "app/external_types.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "base/strings.h"
#include "graph/tasks.h"
#include "service/coordinator.h"
#include "service/workflow.h"

namespace seedcore::app {
namespace {

constexpr std::chrono::seconds kAge{3};
constexpr std::chrono::seconds kStoreSilent{5};
constexpr std::size_t kMostOffered = 10'000;
constexpr std::size_t kMostNamed = 20;

/// As tasks have them.
std::set<std::string> Names(std::span<const std::string> types) {
  std::set<std::string> names;
  for (const std::string& type : types) names.insert(ToLower(Trim(type)));
  names.erase("");
  return names;
}

std::string Listed(const std::set<std::string>& types) {
  if (types.size() <= kMostNamed) return fmt::format("{}", fmt::join(types, ", "));
  return fmt::format("{} and {} more", fmt::join(types.begin(), std::next(types.begin(), kMostNamed), ", "),
                     types.size() - kMostNamed);
}

}  // namespace

ExternalTypes::ExternalTypes(Env& env, store::QueueStore& queues, ExecutableTypes& executables,
                             std::vector<std::string> own)
    : env_(env), queues_(queues), executables_(executables), own_(Names(own)) {}

Result<void> ExternalTypes::Register(std::span<const std::string> types) {
  const std::set<std::string> names = Names(types);
  if (!names.empty()) {
    if (auto added = queues_.AddExternalTypes(std::vector<std::string>(names.begin(), names.end())); !added) {
      added.error().path = "queue.external_types";
      return added;
    }
  }
  SEEDCORE_RETURN_IF_ERROR(Read());
  return {};
}

Result<std::shared_ptr<const ExternalTypes::Known>> ExternalTypes::Read() {
  const Instant asked = env_.Now();
  auto stored = queues_.ExternalTypes();
  const std::scoped_lock lock(mutex_);
  look_at_ = asked + kAge;
  if (!stored) return std::unexpected(std::move(stored.error()));
  if (asked < read_at_) return known_;  // somebody has asked later
  auto known = std::make_shared<Known>();
  for (store::ExternalType& one : *stored) {
    if (one.type == store::kEveryOtherType) {
      known->all_others = true;
    } else {
      known->types.insert(std::move(one.type));
    }
  }
  if (known->types != known_->types || known->all_others != known_->all_others) {
    log::Info("types left to workers outside",
              {{"types", Listed(known->types)}, {"and_every_type_without_an_executor", known->all_others}});
  }
  known_ = std::move(known);
  read_at_ = asked;
  return known_;
}

std::shared_ptr<const ExternalTypes::Known> ExternalTypes::Fresh() {
  {
    const std::scoped_lock lock(mutex_);
    const Instant now = env_.Now();
    if (now < look_at_) return known_;
    look_at_ = now + kAge;  // the others go on with what is known
  }
  if (auto known = Read()) return *known;
  const std::scoped_lock lock(mutex_);
  return known_;
}

bool ExternalTypes::IsLeft(const Known& known, const std::string& type) const {
  return (known.all_others || known.IsNamed(type)) && !executables_.Knows(type);
}

queue::TypeChoice ExternalTypes::Claimed(const std::vector<std::string>& asked) {
  const std::set<std::string> wanted = Names(asked);
  const auto known = Fresh();
  queue::TypeChoice choice;
  if (wanted.empty() && !known->all_others) {
    std::ranges::set_union(known->types, own_, std::back_inserter(choice.except));
    return choice;
  }
  if (known->Any()) executables_.Refresh();
  if (wanted.empty()) {
    for (const std::string& type : executables_.All()) {
      if (!known->IsNamed(type) && !own_.contains(type)) choice.types.push_back(type);
    }
  } else {
    std::ranges::copy_if(wanted, std::back_inserter(choice.types),
                         [&](const std::string& type) { return !IsLeft(*known, type); });
  }
  // An empty list would mean every type; no task can have a type without a name.
  if (choice.types.empty()) choice.types.emplace_back();
  return choice;
}

queue::TaskHandler ExternalTypes::HandingBack(queue::TaskHandler handler) {
  return [this, handler = std::move(handler)](const store::Task& task, const CallContext& call) {
    queue::TaskOutcome outcome = handler(task, call);
    const bool ended_badly =
        std::holds_alternative<queue::Failure>(outcome.verdict) || std::holds_alternative<store::Held>(outcome.verdict);
    if (!ended_badly || executables_.Knows(task.type)) return outcome;
    // Nobody here could have executed it. Whether that means anything only the store knows.
    executables_.Refresh();
    const auto known = Read();
    if (!known) return queue::TaskOutcome::Snooze(kStoreSilent, ToString(known.error()));
    if (!IsLeft(**known, task.type)) return outcome;
    log::Info("handed back: left to workers outside", {{"task_id", task.id}, {"type", task.type}});
    return queue::TaskOutcome::HandBack();
  };
}

Result<void> ExternalTypes::Check(const std::string& type, const json::object& params) {
  if (type != service::kWorkflowType) return {};
  const auto check = [&](const Known& known) -> Result<void> {
    if (known.IsNamed(type)) return {};
    return service::CheckWorkflow(params, [&](const std::string& step) { return CheckStep(known, step); });
  };
  if (check(*Fresh())) return {};
  SEEDCORE_ASSIGN_OR_RETURN(const auto known, Read());
  return check(*known);
}

Result<void> ExternalTypes::CheckStep(const Known& known, const std::string& type) const {
  if (type == service::kWorkflowType) {
    return Fail(ErrorCode::kInvalidArgument, "a workflow cannot be a step of another", "type");
  }
  if (executables_.Knows(type)) return {};
  std::string why = known.IsNamed(type)
                        ? fmt::format("'{}' is left to workers outside, who take tasks, not steps", type)
                        : executables_.WhyNot(type);
  if (known.all_others) why += "; workers outside take tasks, not steps";
  return Fail(ErrorCode::kInvalidArgument, std::move(why), "type");
}

Result<void> ExternalTypes::Offer(std::span<const std::string> types) {
  std::vector<std::string> unknown;
  const auto known = Fresh();
  if (known->all_others) return {};
  {
    const std::scoped_lock lock(mutex_);
    for (const std::string& type : types) {
      if (known->IsNamed(type) || offered_.contains(type)) continue;
      // To ask for the name that stands for all others is not to be able to execute them.
      if (type.empty() || type == store::kEveryOtherType || executables_.Knows(type)) continue;
      unknown.push_back(type);
    }
  }
  if (unknown.empty()) return {};
  SEEDCORE_RETURN_IF_ERROR(queues_.AddExternalTypes(unknown));
  log::Info("a worker outside asks for types without an executor; they are left to workers outside from now on",
            {{"types", Listed({unknown.begin(), unknown.end()})}});
  {
    const std::scoped_lock lock(mutex_);
    if (offered_.size() > kMostOffered) offered_.clear();
    offered_.insert(unknown.begin(), unknown.end());
  }
  SEEDCORE_RETURN_IF_ERROR(Read());
  return {};
}

std::vector<std::string> TypesLeftToOthers(const settings::Settings& settings) {
  std::vector<std::string> types;
  if (settings.graph.dispatch_elsewhere) {
    for (const graph::TaskType& type : graph::TaskTypes()) types.emplace_back(type.name);
  }
  return types;
}

}  // namespace seedcore::app
