#pragma once

#include <vector>

#include "service/operation.h"

namespace seedcore::app {

/// Every service of the embedded platform, for the OpenAPI document and docs/api.md.
[[nodiscard]] std::vector<service::ServiceInfo> ApiServices();

}  // namespace seedcore::app
