#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "organism/executor.h"
#include "store/store.h"

/// Which organ a task belongs to.
namespace seedcore::organism {

struct RoutingSettings {
  std::chrono::milliseconds ttl{3000};        ///< ROUTE_CACHE_TTL_S
  std::chrono::milliseconds ttl_jitter{500};  ///< ROUTE_CACHE_JITTER_S: added, uniform
};

/// Where a route came from.
enum class ResolvedFrom {
  kPreferred,  ///< the caller's preference
  kDomain,     ///< a stored rule for type and domain
  kTask,       ///< a stored rule for the type
  kDefault,    ///< the configuration's map, or its default organ
  kFallback,   ///< what a rule or the map says, although it has no active instance
};
constexpr std::array<std::pair<ResolvedFrom, std::string_view>, 5> EnumNames(ResolvedFrom) {
  return {{{ResolvedFrom::kPreferred, "preferred"},
           {ResolvedFrom::kDomain, "domain"},
           {ResolvedFrom::kTask, "task"},
           {ResolvedFrom::kDefault, "default"},
           {ResolvedFrom::kFallback, "fallback"}}};
}

struct Route {
  std::string logical_id;
  ResolvedFrom resolved_from = ResolvedFrom::kDefault;
  std::string epoch;
  std::optional<std::string> instance_id;  ///< nullopt: nothing active
  bool cache_hit = false;
  std::chrono::nanoseconds cache_age{0};
};

/// Rules, epoch and active instances come from the registry and are cached together for `ttl`; while one caller
/// reloads, the others wait for it (single flight). Thread-safe.
class RoutingDirectory {
 public:
  /// The references must outlive it. `defaults`: task type to organ; `default_organ` for types listed nowhere.
  RoutingDirectory(store::RegistryStore& registry, const ExecutorRegistry& executors, Env& env,
                   std::map<std::string, std::string> defaults, std::string default_organ, RoutingSettings settings);

  /// Tries the preference, the rule for (type, domain), the rule for the type, the default; the first with an active
  /// instance wins. kNonRetryable: no rule, and no executor for the type. kUnavailable: the registry can't be read.
  [[nodiscard]] Result<Route> Resolve(std::string_view type, std::string_view domain, std::string_view preferred,
                                      const CallContext& call);

  [[nodiscard]] Result<std::string> Epoch(const CallContext& call);

  struct Rules {
    std::map<std::string, std::string> by_task;    ///< defaults, overlaid with the stored rules
    std::map<std::string, std::string> by_domain;  ///< "type/domain"
  };
  [[nodiscard]] Result<Rules> GetRules(const CallContext& call);
  /// Adds, then removes, in one transaction; takes effect at once. kNotFound: a rule names an unknown organ.
  [[nodiscard]] Result<void> ChangeRules(std::vector<store::RoutingRule> add, std::vector<store::RoutingRule> remove,
                                         const CallContext& call);
  /// Defaults and stored rules that point at `organ_id`.
  [[nodiscard]] Result<std::vector<store::RoutingRule>> RulesTo(const std::string& organ_id, const CallContext& call);

  [[nodiscard]] const std::string& DefaultOrgan() const { return default_organ_; }

  /// The next caller reloads.
  void Invalidate();

 private:
  struct Snapshot {
    std::string epoch;
    std::map<std::string, std::string> by_task;  // stored rules only
    std::map<std::pair<std::string, std::string>, std::string> by_domain;
    std::map<std::string, std::string, std::less<>> active;  // organ to its newest active instance
    std::vector<std::string> organs;
    Instant loaded_at;
    Instant fresh_until;
  };
  struct Cached {
    std::shared_ptr<const Snapshot> snapshot;
    bool hit = false;
  };

  Result<Cached> Load(const CallContext& call);
  Result<std::shared_ptr<const Snapshot>> ReadRegistry();

  store::RegistryStore& registry_;
  const ExecutorRegistry& executors_;
  Env& env_;
  const std::map<std::string, std::string> defaults_;
  const std::string default_organ_;
  const RoutingSettings settings_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable_any loaded_;
  std::shared_ptr<const Snapshot> cached_;
  bool loading_ = false;
  std::uint64_t generation_ = 0;  // grows with Invalidate; a load that began before does not count
};

/// Lower case, without surrounding space.
[[nodiscard]] std::string NormalizeType(std::string_view type);
/// The same, and fact -> facts, admin and mgmt -> management, util -> utility.
[[nodiscard]] std::string NormalizeDomain(std::string_view domain);

}  // namespace seedcore::organism
