#pragma once

#include "organism/organism.h"
#include "service/organism_messages.h"
#include "service/routing_messages.h"

/// Between the organism's own values and the messages of its service. For organism.cc.
namespace seedcore::service {

[[nodiscard]] organism::TaskSpec ToSpec(const OrganTask& task);
[[nodiscard]] TaskEffects ToTaskEffects(store::Effects effects);
[[nodiscard]] ExecuteReply ToReply(organism::Execution execution);
[[nodiscard]] ResolveRouteReply ToReply(organism::Route route);
[[nodiscard]] RoutingRulesReply ToReply(organism::RoutingDirectory::Rules rules);
[[nodiscard]] OrganStatusView ToView(const organism::OrganSnapshot& organ, const organism::Presence& presence);
[[nodiscard]] OrganismAgent ToView(const organism::AgentSnapshot& agent);
[[nodiscard]] RouteAnswer FailedRoute(const Error& error, bool type_is_known);
[[nodiscard]] RouteAnswer FoundRoute(organism::Route route);
[[nodiscard]] json::object Describe(const organism::EvolutionPlan& plan);

}  // namespace seedcore::service
