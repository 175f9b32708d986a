#include "ray/client/tls_environment.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::ray {
namespace {

Result<std::string> ReadFile(const std::string& path, const std::string& variable) {
  const std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return Fail(ErrorCode::kInvalidArgument, fmt::format("cannot read the file '{}'", path), variable);
  return text.str();
}

Result<std::string> ReadNamedFile(const EnvironmentLookup& lookup, const std::string& variable) {
  const auto path = lookup(variable);
  if (!path || path->empty()) return Fail(ErrorCode::kInvalidArgument, "RAY_USE_TLS=1 needs this variable", variable);
  return ReadFile(*path, variable);
}

bool IsOn(const std::string& value) { return value == "1" || ToLower(value) == "true"; }

}  // namespace

EnvironmentLookup ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<std::optional<TlsMaterial>> TlsFromEnvironment(const EnvironmentLookup& lookup) {
  if (!IsOn(lookup("RAY_USE_TLS").value_or(""))) return std::nullopt;
  TlsMaterial tls;
  SEEDCORE_ASSIGN_OR_RETURN(tls.cert, ReadNamedFile(lookup, "RAY_TLS_SERVER_CERT"));
  SEEDCORE_ASSIGN_OR_RETURN(tls.key, ReadNamedFile(lookup, "RAY_TLS_SERVER_KEY"));
  SEEDCORE_ASSIGN_OR_RETURN(tls.ca, ReadNamedFile(lookup, "RAY_TLS_CA_CERT"));
  return tls;
}

}  // namespace seedcore::ray
