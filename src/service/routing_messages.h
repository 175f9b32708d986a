#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_binding.h"
#include "base/result.h"
#include "service/organism_messages.h"

/// What the Organism service is asked about routing, and what it answers: which organ a task goes to, and the rules
/// that say so.
namespace seedcore::service {

/// Which organ one task goes to.
struct ResolveRouteRequest {
  OrganTask task;
  std::string preferred_logical_id;
  static constexpr auto kFields = Fields(Required("task", &ResolveRouteRequest::task, "The task to route"),
                                         Optional("preferred_logical_id", &ResolveRouteRequest::preferred_logical_id,
                                                  "Taken when it has an active instance"));
};

struct ResolveRouteReply {
  std::string logical_id;
  std::string resolved_from;
  std::string epoch;
  std::optional<std::string> instance_id;
  bool cache_hit = false;
  double cache_age_ms = 0.0;
  static constexpr auto kFields =
      Fields(Required("logical_id", &ResolveRouteReply::logical_id, "The organ"),
             Required("resolved_from", &ResolveRouteReply::resolved_from,
                      "preferred, domain, task, default (the shipped map) or fallback (no active instance)"),
             Required("epoch", &ResolveRouteReply::epoch, "Cluster epoch the answer belongs to"),
             Optional("instance_id", &ResolveRouteReply::instance_id, "Newest active instance; null: none is active"),
             Optional("cache_hit", &ResolveRouteReply::cache_hit, "Whether the directory's cache answered"),
             Optional("cache_age_ms", &ResolveRouteReply::cache_age_ms, "Age of the cached answer"));
};

/// One of many tasks whose organ is asked for.
struct RouteQuery {
  std::optional<int> index;
  std::string key;
  std::string type;
  std::string domain;
  std::string preferred_logical_id;
  static constexpr auto kFields =
      Fields(Optional("index", &RouteQuery::index, "Echoed; default: the position in the list"),
             Optional("key", &RouteQuery::key, "Echoed; default: type/domain"),
             Required("type", &RouteQuery::type, "Task type"), Optional("domain", &RouteQuery::domain, "Domain"),
             Optional("preferred_logical_id", &RouteQuery::preferred_logical_id, "As for resolve-route"));
};

struct ResolveRoutesRequest {
  std::vector<RouteQuery> tasks;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(Required("tasks", &ResolveRoutesRequest::tasks, "At most 1000"));
};

/// Where one of the tasks goes, or why nowhere.
struct RouteAnswer {
  int index = 0;
  std::string key;
  std::optional<std::string> logical_id;
  std::optional<std::string> resolved_from;
  std::string epoch;
  std::optional<std::string> instance_id;
  std::string status;
  std::optional<std::string> error;
  bool cache_hit = false;
  double cache_age_ms = 0.0;
  static constexpr auto kFields =
      Fields(Required("index", &RouteAnswer::index, "Of the query"), Required("key", &RouteAnswer::key, "Of the query"),
             Optional("logical_id", &RouteAnswer::logical_id, "The organ; null on error"),
             Optional("resolved_from", &RouteAnswer::resolved_from, "As for resolve-route"),
             Required("epoch", &RouteAnswer::epoch, "Cluster epoch"),
             Optional("instance_id", &RouteAnswer::instance_id, "Newest active instance"),
             Required("status", &RouteAnswer::status, "ok, fallback, no_active_instance, unknown_type or error"),
             Optional("error", &RouteAnswer::error, "Why there is no route"),
             Required("cache_hit", &RouteAnswer::cache_hit, "Whether the cache answered"),
             Required("cache_age_ms", &RouteAnswer::cache_age_ms, "Age of the cached answer"));
};

struct ResolveRoutesReply {
  std::string epoch;
  std::vector<RouteAnswer> results;
  static constexpr auto kFields = Fields(Required("epoch", &ResolveRoutesReply::epoch, "Cluster epoch"),
                                         Required("results", &ResolveRoutesReply::results, "One per query, in order"));
};

/// The rules in force.
struct RoutingRulesReply {
  std::map<std::string, std::string> rules_by_task;
  std::map<std::string, std::string> rules_by_domain;
  static constexpr auto kFields =
      Fields(Required("rules_by_task", &RoutingRulesReply::rules_by_task, "Task type to organ, shipped map included"),
             Required("rules_by_domain", &RoutingRulesReply::rules_by_domain, "\"type/domain\" to organ"));
};

struct RoutingRuleChange {
  std::string task_type;
  std::string domain;
  std::string logical_id;
  static constexpr auto kFields =
      Fields(Required("task_type", &RoutingRuleChange::task_type, "Task type"),
             Optional("domain", &RoutingRuleChange::domain, "Domain; empty: every domain"),
             Required("logical_id", &RoutingRuleChange::logical_id, "Organ that gets these tasks"));
};

struct RoutingRuleRemoval {
  std::string task_type;
  std::string domain;
  static constexpr auto kFields = Fields(Required("task_type", &RoutingRuleRemoval::task_type, "Task type"),
                                         Optional("domain", &RoutingRuleRemoval::domain, "Domain"));
};

struct ChangeRoutingRulesRequest {
  std::vector<RoutingRuleChange> add;
  std::vector<RoutingRuleRemoval> remove;
  static constexpr auto kFields =
      Fields(Optional("add", &ChangeRoutingRulesRequest::add, "Rules to add or replace"),
             Optional("remove", &ChangeRoutingRulesRequest::remove, "Rules to remove; the shipped map then applies"));
};

struct ChangeRoutingRulesReply {
  bool success = true;
  RoutingRulesReply rules;
  static constexpr auto kFields = Fields(Required("success", &ChangeRoutingRulesReply::success, "Always true"),
                                         Required("rules", &ChangeRoutingRulesReply::rules, "The rules now"));
};

}  // namespace seedcore::service
