#pragma once

#include <vector>

#include "base/json.h"
#include "service/operation.h"

namespace seedcore::app {

/// The OpenAPI document of the listener of the six services.
[[nodiscard]] json::object ServicesDocument();
/// The OpenAPI document of the listener of the task API, its event stream included.
[[nodiscard]] json::object TaskApiDocument();
/// Every service of the embedded platform, for docs/api.md.
[[nodiscard]] std::vector<service::ServiceInfo> ApiServices();

}  // namespace seedcore::app
