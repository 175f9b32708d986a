#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "ray/dashboard_types.h"

/// Ray Serve's configuration: the document `serve deploy` takes, and what Serve made of it. Pure.
namespace seedcore::ray {

/// Reads YAML or JSON into the document the dashboard takes. Plain words mean what PyYAML takes them for (yes and on
/// are true). kMalformed, with the line: no YAML or JSON, not a mapping, merge keys, a number only YAML 1.1 knows (0o7,
/// 1:30), too large or too deep. kInvalidArgument: no `applications`, one without a name, or a name twice.
[[nodiscard]] Result<json::object> ParseServeConfig(std::string_view text);

/// Names of the applications of a configuration, in order.
[[nodiscard]] std::vector<std::string> ApplicationNames(const json::object& config);

/// Serve accepts keys it does not know and drops them without a word. One line per key of `config` that is not in
/// effect: absent from what Serve reports, or there with another value.
/// For example "http_options.location: ignored by Serve; proxy_location is the key".
[[nodiscard]] std::vector<std::string> IgnoredKeys(const json::object& config, const ServeInfo& info);

}  // namespace seedcore::ray
