#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "ray/client/grpc_channel.h"

namespace seedcore::ray {

/// Looks an environment variable up; nothing when it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;
[[nodiscard]] EnvironmentLookup ProcessEnvironment();

/// With RAY_USE_TLS=1 what the files RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY and RAY_TLS_CA_CERT hold, as Ray's Python
/// client does; otherwise nothing, which means plain. kInvalidArgument names the variable whose file is missing or
/// cannot be read.
[[nodiscard]] Result<std::optional<TlsMaterial>> TlsFromEnvironment(const EnvironmentLookup& lookup);

}  // namespace seedcore::ray
