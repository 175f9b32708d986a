#include "organism/routing.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"

namespace seedcore::organism {

std::string NormalizeType(std::string_view type) { return ToLower(Trim(type)); }

std::string NormalizeDomain(std::string_view domain) {
  std::string name = NormalizeType(domain);
  if (name == "fact") return "facts";
  if (name == "admin" || name == "mgmt") return "management";
  if (name == "util") return "utility";
  return name;
}

RoutingDirectory::RoutingDirectory(store::RegistryStore& registry, const ExecutorRegistry& executors, Env& env,
                                   std::map<std::string, std::string> defaults, std::string default_organ,
                                   RoutingSettings settings)
    : registry_(registry),
      executors_(executors),
      env_(env),
      defaults_(std::move(defaults)),
      default_organ_(std::move(default_organ)),
      settings_(settings) {}

Result<std::shared_ptr<const RoutingDirectory::Snapshot>> RoutingDirectory::ReadRegistry() {
  auto snapshot = std::make_shared<Snapshot>();
  SEEDCORE_ASSIGN_OR_RETURN(snapshot->epoch, registry_.CurrentEpoch());
  SEEDCORE_ASSIGN_OR_RETURN(const auto rules, registry_.RoutingRules());
  for (const store::RoutingRule& rule : rules) {
    if (rule.domain.empty()) {
      snapshot->by_task[rule.task_type] = rule.logical_id;
    } else {
      snapshot->by_domain[{rule.task_type, rule.domain}] = rule.logical_id;
    }
  }
  SEEDCORE_ASSIGN_OR_RETURN(const auto organs, registry_.Organs());
  for (const auto& organ : organs) {
    snapshot->organs.push_back(organ.organ_id);
    SEEDCORE_ASSIGN_OR_RETURN(const auto instances, registry_.ActiveInstances(organ.organ_id));
    if (!instances.empty()) snapshot->active[organ.organ_id] = instances.front().instance_id;
  }
  snapshot->loaded_at = env_.Now();
  snapshot->fresh_until =
      snapshot->loaded_at + settings_.ttl +
      std::chrono::duration_cast<std::chrono::nanoseconds>(settings_.ttl_jitter * env_.RandomUnit());
  return snapshot;
}

Result<RoutingDirectory::Cached> RoutingDirectory::Load(const CallContext& call) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (cached_ && env_.Now() < cached_->fresh_until) return Cached{cached_, true};
    if (!loading_) break;
    // An answer that another caller is loading right now is as good as one of our own.
    if (!env_.WaitUntil(lock, loaded_, call.deadline, call.stop, [&] { return !loading_; })) {
      SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
      return Fail(ErrorCode::kDeadlineExceeded, "waited too long for the routing directory");
    }
  }
  loading_ = true;
  const std::uint64_t generation = generation_;
  lock.unlock();
  auto snapshot = ReadRegistry();
  lock.lock();
  loading_ = false;
  if (snapshot && generation == generation_) cached_ = *snapshot;
  lock.unlock();
  loaded_.notify_all();
  if (!snapshot) return std::unexpected(std::move(snapshot).error());
  return Cached{std::move(*snapshot), false};
}

void RoutingDirectory::Invalidate() {
  const std::lock_guard lock(mutex_);
  cached_.reset();
  ++generation_;
}

Result<Route> RoutingDirectory::Resolve(std::string_view raw_type, std::string_view raw_domain,
                                        std::string_view preferred, const CallContext& call) {
  const std::string type = NormalizeType(raw_type);
  const std::string domain = NormalizeDomain(raw_domain);
  SEEDCORE_ASSIGN_OR_RETURN(const Cached cached, Load(call));
  const Snapshot& snapshot = *cached.snapshot;

  Route route{.epoch = snapshot.epoch, .cache_hit = cached.hit, .cache_age = env_.Now() - snapshot.loaded_at};
  const auto is_active = [&](std::string_view organ, ResolvedFrom from) {
    const auto active = snapshot.active.find(organ);
    if (active == snapshot.active.end()) return false;
    route.logical_id = organ;
    route.resolved_from = from;
    route.instance_id = active->second;
    return true;
  };

  if (!preferred.empty() && is_active(preferred, ResolvedFrom::kPreferred)) return route;
  const auto domain_rule = snapshot.by_domain.find({type, domain});
  const bool has_domain_rule = domain_rule != snapshot.by_domain.end();
  if (has_domain_rule && is_active(domain_rule->second, ResolvedFrom::kDomain)) return route;
  const auto task_rule = snapshot.by_task.find(type);
  const bool has_task_rule = task_rule != snapshot.by_task.end();
  if (has_task_rule && is_active(task_rule->second, ResolvedFrom::kTask)) return route;

  const bool has_rule = has_domain_rule || has_task_rule;
  if (!has_rule && !executors_.Knows(type)) return std::unexpected(executors_.Find(type).error());
  const auto shipped = defaults_.find(type);
  const std::string& standard = shipped != defaults_.end() ? shipped->second : default_organ_;
  if (is_active(standard, ResolvedFrom::kDefault)) return route;

  route.logical_id = has_domain_rule ? domain_rule->second : has_task_rule ? task_rule->second : standard;
  route.resolved_from = ResolvedFrom::kFallback;
  return route;
}

Result<std::string> RoutingDirectory::Epoch(const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const Cached cached, Load(call));
  return cached.snapshot->epoch;
}

Result<RoutingDirectory::Rules> RoutingDirectory::GetRules(const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const Cached cached, Load(call));
  Rules rules{.by_task = defaults_, .by_domain = {}};
  for (const auto& [type, organ] : cached.snapshot->by_task) rules.by_task[type] = organ;
  for (const auto& [key, organ] : cached.snapshot->by_domain) {
    rules.by_domain[fmt::format("{}/{}", key.first, key.second)] = organ;
  }
  return rules;
}

Result<void> RoutingDirectory::ChangeRules(std::vector<store::RoutingRule> add, std::vector<store::RoutingRule> remove,
                                           const CallContext& call) {
  Invalidate();
  SEEDCORE_ASSIGN_OR_RETURN(const Cached cached, Load(call));
  const std::vector<std::string>& organs = cached.snapshot->organs;
  for (std::size_t i = 0; i < add.size(); ++i) {
    store::RoutingRule& rule = add[i];
    rule.task_type = NormalizeType(rule.task_type);
    rule.domain = NormalizeDomain(rule.domain);
    if (rule.task_type.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "must not be empty", fmt::format("add[{}].task_type", i));
    }
    if (std::ranges::find(organs, rule.logical_id) == organs.end()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("no organ called '{}'; organs: {}", rule.logical_id, fmt::join(organs, ", ")),
                  fmt::format("add[{}].logical_id", i));
    }
  }
  for (store::RoutingRule& rule : remove) {
    rule.task_type = NormalizeType(rule.task_type);
    rule.domain = NormalizeDomain(rule.domain);
  }
  auto changed = registry_.ChangeRoutingRules(add, remove);
  Invalidate();
  return changed;
}

Result<std::vector<store::RoutingRule>> RoutingDirectory::RulesTo(const std::string& organ_id,
                                                                  const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const Cached cached, Load(call));
  std::map<std::string, std::string> by_task = defaults_;
  for (const auto& [type, organ] : cached.snapshot->by_task) by_task[type] = organ;
  std::vector<store::RoutingRule> pointing;
  for (const auto& [type, organ] : by_task) {
    if (organ == organ_id) pointing.push_back({type, "", organ});
  }
  for (const auto& [key, organ] : cached.snapshot->by_domain) {
    if (organ == organ_id) pointing.push_back({key.first, key.second, organ});
  }
  return pointing;
}

}  // namespace seedcore::organism
