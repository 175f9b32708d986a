#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ray/address.h"
#include "ray/connection_plan.h"

/// The two halves of MakeConnectionPlan share this; nobody else includes it.
namespace seedcore::ray::internal {

/// A value somebody gave, trimmed and not empty.
struct Offer {
  std::string value;
  std::string source;  ///< "argument address", "environment RAY_ADDRESS", "file seedcore.yaml line 3"
  std::string name;    ///< what to change: "address", "RAY_ADDRESS", "cluster.ray_address"
  bool is_argument = false;
};

/// "environment RAY_ADDRESS=ray://h:6379: why it will not do", with the variable as path. Passwords are redacted.
[[nodiscard]] std::unexpected<Error> Blame(const Offer& offer, std::string_view why);
[[nodiscard]] PassedOver PassOver(const Offer& offer, std::string reason);

/// PlanInput, with blank the same as unset.
class Inputs {
 public:
  explicit Inputs(const PlanInput& input) : input_(input) {}

  [[nodiscard]] std::string Environment(const std::string& name) const;
  /// What argument, variables and settings file say, in that order of precedence.
  [[nodiscard]] std::vector<Offer> Offers(std::string_view argument_name, std::string_view argument,
                                          const std::vector<std::string>& variables, const std::string& setting) const;
  /// Offers for the address of Ray.
  [[nodiscard]] std::vector<Offer> AddressOffers() const;
  [[nodiscard]] Role role() const;
  [[nodiscard]] bool IsKnown(const std::string& address, bool reachable) const;
  [[nodiscard]] const PlanInput& raw() const { return input_; }

 private:
  const PlanInput& input_;
};

/// What RAY_HOST and RAY_PORT come to.
struct HostVariables {
  Offer offer;  ///< value "HOST:PORT"
  Result<RayAddress> address;
};
/// nullopt when neither is set. A Kubernetes service link (RAY_PORT=tcp://...) is no port.
[[nodiscard]] std::optional<HostVariables> ReadHostVariables(const Inputs& in);

/// The cluster that was found, and how.
struct Location {
  Mode mode = Mode::kLocal;
  Decision decision;
  net::HostPort where;  ///< unset for auto and local
  bool from_argument = false;
  bool on_this_host = false;  ///< found by looking, not by being told
  std::vector<std::string> warnings;
};
[[nodiscard]] Result<Location> Locate(const Inputs& in);

}  // namespace seedcore::ray::internal
