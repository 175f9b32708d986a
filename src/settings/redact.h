#pragma once

#include <string>
#include <string_view>

namespace seedcore::settings {

/// What stands where a secret was.
inline constexpr std::string_view kRedacted = "***";

/// `text` without the passwords in it: the user info of a URL ("postgresql://user:***@host/db"; without a user name
/// "redis://:***@host"), and the values of password-like keys in a query string or a libpq keyword list
/// ("host=db password=***"). Everything else stays as it is. For logs, health and `config show`.
[[nodiscard]] std::string RedactPasswords(std::string_view text);

}  // namespace seedcore::settings
