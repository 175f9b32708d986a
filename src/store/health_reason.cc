#include "store/health_reason.h"

#include <string_view>

#include "store/postgres/errors.h"

namespace seedcore::store {

std::string ReasonForAnybody(const Store::Health& health) {
  if (health.backend == "postgresql") return std::string(postgres::KindOf(health.error));
  // What SQLite and the system say about a file is about this machine alone; its path comes last.
  const std::string& error = health.error;
  const std::string path = " (" + health.location + ")";
  return error.ends_with(path) ? error.substr(0, error.size() - path.size()) : error;
}

std::string ReasonForAnybody(const Error& error) {
  const std::string text = ToString(Error{error.code, error.message, {}});
  return text.contains("PostgreSQL") ? std::string(postgres::KindOf(text)) : text;
}

}  // namespace seedcore::store
