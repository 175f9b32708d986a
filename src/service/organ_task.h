#pragma once

#include <optional>
#include <string_view>

#include "service/coordinator_impl.h"

/// What the Coordinator makes of a task for an organ, and of the organ's reply.
namespace seedcore::service {

[[nodiscard]] OrganTask OrganTaskOf(const RoutedTask& task, const RouteResponse& response);
/// params.required_capability, clamped to 0..1; 0 when it is missing or no number.
[[nodiscard]] double RequiredCapability(const json::object& params);
/// What the task is sent on its way with when its executor calls the coordinator back.
[[nodiscard]] json::object EvidenceFor(std::string_view type, const RouteResponse& response);
[[nodiscard]] std::optional<EnergyReport> EnergyOf(const ExecuteReply& reply);

}  // namespace seedcore::service
