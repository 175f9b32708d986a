#include "app/executable_types.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "service/coordinator.h"

namespace seedcore::app {
namespace {

constexpr std::chrono::seconds kPatience{2};
constexpr std::chrono::seconds kUntilKnown{3};
constexpr std::chrono::seconds kOnceKnown{60};

}  // namespace

bool LocalExecutables::Knows(const std::string& type) const {
  return type == service::kWorkflowType || executors_.Knows(type);
}

std::set<std::string> LocalExecutables::All() const {
  std::set<std::string> types{std::string(service::kWorkflowType)};
  for (const auto& executor : executors_.All()) types.insert(executor->type);
  return types;
}

std::string LocalExecutables::WhyNot(const std::string& type) const {
  const auto executor = executors_.Find(type);
  return executor ? "" : executor.error().message;
}

bool RemoteExecutables::Knows(const std::string& type) const {
  const std::scoped_lock lock(mutex_);
  return type == service::kWorkflowType || types_.contains(type);
}

std::set<std::string> RemoteExecutables::All() const {
  const std::scoped_lock lock(mutex_);
  return types_;
}

void RemoteExecutables::Refresh() {
  {
    const std::scoped_lock lock(mutex_);
    const Instant now = env_.Now();
    if (ask_after_ && now < *ask_after_) return;
    ask_after_ = now + kUntilKnown;  // nobody else asks meanwhile
  }
  const auto reply =
      organism_.Call<&service::OrganismService::Executors>(service::Empty{}, CallContext{}.Within(kPatience, env_));
  const std::scoped_lock lock(mutex_);
  if (!reply) {
    if (!std::exchange(failing_, true)) {
      log::Warning("the organism does not say what it executes",
                   {{"error", ToString(reply.error())}, {"known", std::ssize(types_)}});
    }
    return;
  }
  failing_ = false;
  ask_after_ = env_.Now() + kOnceKnown;
  types_ = {std::string(service::kWorkflowType)};
  for (const service::ExecutorView& executor : reply->executors) types_.insert(executor.type);
}

std::string RemoteExecutables::WhyNot(const std::string& type) const {
  return fmt::format("the organism has no executor of the type '{}'", type);
}

}  // namespace seedcore::app
