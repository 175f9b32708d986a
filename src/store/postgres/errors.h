#pragma once

#include <chrono>
#include <string_view>

#include "base/result.h"

namespace seedcore::store::postgres {

/// What PostgreSQL's SQLSTATE means here. `message` is the server's, `column` the name it gave of what is wrong.
[[nodiscard]] Error ErrorFromSqlState(std::string_view sql_state, std::string_view message, std::string_view column);

/// Why a connection could not be made. `message` is libpq's, in verbose form, so that it holds the SQLSTATE whatever
/// the server's language. `place`: "host:port/database", without user or password.
[[nodiscard]] Error ConnectError(std::string_view message, std::string_view place);

/// For a connection that broke while in use.
[[nodiscard]] Error ConnectionLost(std::string_view detail);

/// For a connection that was given up because nothing came for `timeout`.
[[nodiscard]] Error NoAnswer(std::chrono::milliseconds timeout, std::string_view place);

/// What an error of this folder, as ToString(const Error&) writes it, is about: "PostgreSQL refused the password",
/// without the parts that name a user, a host or a database. The name of its code when it is none of them.
[[nodiscard]] std::string_view KindOf(std::string_view error);

/// Deadlocks and serialization failures: the same transaction can pass at once.
[[nodiscard]] bool IsRepeatable(std::string_view sql_state);

/// Somebody else kept a lock for longer than lock_timeout.
[[nodiscard]] bool IsLockTimeout(std::string_view sql_state);

}  // namespace seedcore::store::postgres
