#pragma once

#include <string>

#include "store/store.h"

namespace seedcore::store {

/// `health.error` for a prober that has shown no token: the kind of failure, without users, hosts and databases, which
/// the messages of PostgreSQL name. Empty when there is no error.
[[nodiscard]] std::string ReasonForAnybody(const Store::Health& health);
/// The same for the error of a call.
[[nodiscard]] std::string ReasonForAnybody(const Error& error);

}  // namespace seedcore::store
