// Which cluster: the address half of the plan.
#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"
#include "ray/plan_internal.h"
#include "settings/redact.h"

namespace seedcore::ray::internal {
namespace {

constexpr const char* kHostClient = "127.0.0.1:10001";
constexpr const char* kHostDashboard = "127.0.0.1:8265";
constexpr const char* kServiceVariable = "SEEDCORE_SVC_HEAD_SVC_SERVICE_HOST";
constexpr const char* kServiceAddress = "ray://seedcore-svc-head-svc:10001";

Location At(Mode mode, RayAddress address, std::string source) {
  Location location;
  location.mode = mode;
  location.where = std::move(address.where);
  location.decision = {std::move(address.text), std::move(source), {}};
  return location;
}

bool InRayPod(Role role) { return role == Role::kHead || role == Role::kWorker; }

/// The cluster a worker pod belongs to, as KubeRay wired it.
Result<Location> FromWorkerPod(const std::string& head) {
  const Offer offer{head, "environment FQ_RAY_IP", "FQ_RAY_IP"};
  auto address = ParseRayAddress(fmt::format("{}:{}", head, kGcsPort));
  if (!address || address->kind != AddressKind::kCluster) return Blame(offer, "expected the host name of the head");
  return At(Mode::kCluster, std::move(*address), offer.source);
}

/// The cluster `ray start` has put this host into; nullopt when there is none, with the reason in `passed_over`.
std::optional<Location> FromThisHost(const Inputs& in, std::vector<PassedOver>& passed_over) {
  const auto& file = in.raw().files.current_cluster;
  if (!file || Trim(*file).empty()) return std::nullopt;
  const Offer offer{std::string(Trim(*file)), "file ray_current_cluster", "ray_current_cluster"};
  auto address = ParseRayAddress(offer.value);
  if (!address || address->kind != AddressKind::kCluster) {
    passed_over.push_back(PassOver(offer, "it is not HOST:PORT"));
    return std::nullopt;
  }
  if (in.IsKnown(address->text, false)) {
    passed_over.push_back(PassOver(offer, "nothing listens there: it was left behind by a cluster that has ended"));
    return std::nullopt;
  }
  Location location = At(Mode::kCluster, std::move(*address), offer.source);
  location.on_this_host = true;
  return location;
}

/// auto: the cluster this host or pod is part of.
Result<Location> Join(const Inputs& in, const Offer& asked) {
  if (const std::string head = in.Environment("FQ_RAY_IP"); !head.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(Location location, FromWorkerPod(head));
    location.decision.passed_over.push_back(PassOver(asked, "it leaves the choice to what is here"));
    return location;
  }
  std::vector<PassedOver> passed_over;
  if (auto found = FromThisHost(in, passed_over)) {
    found->decision.source = fmt::format("{} ({})", found->decision.source, asked.source);
    return std::move(*found);
  }
  Location location = At(Mode::kCluster, RayAddress{AddressKind::kAuto, {}, "auto"}, asked.source);
  location.decision.passed_over = std::move(passed_over);
  location.on_this_host = true;
  return location;
}

Result<Location> FromOffer(const Inputs& in, const Offer& offer, RayAddress address) {
  switch (address.kind) {
    case AddressKind::kClient: return At(Mode::kClient, std::move(address), offer.source);
    case AddressKind::kCluster: return At(Mode::kCluster, std::move(address), offer.source);
    case AddressKind::kLocal: return At(Mode::kLocal, std::move(address), offer.source);
    case AddressKind::kAuto: return Join(in, offer);
    case AddressKind::kDashboard: break;
  }
  if (in.raw().arguments.purpose == Purpose::kRest) return At(Mode::kDashboard, std::move(address), offer.source);
  return Blame(offer,
               fmt::format("that is the URL of the dashboard, not a Ray address: set RAY_ADDRESS=ray://{}:{}, and "
                           "RAY_DASHBOARD_URL={} for the dashboard",
                           address.where.host, kClientPort, address.text));
}

void WeighHostVariables(const Inputs& in, const Offer& taken, const std::optional<HostVariables>& pair,
                        Location& location) {
  if (!pair) return;
  location.decision.passed_over.push_back(PassOver(pair->offer, taken.source + " comes first"));
  const bool agree = pair->address && pair->address->text == location.decision.value;
  if (agree || taken.is_argument || InRayPod(in.role())) return;
  location.warnings.push_back(fmt::format("{}={} and {}={} contradict each other; {} counts", taken.name,
                                          settings::RedactPasswords(taken.value), pair->offer.name, pair->offer.value,
                                          taken.name));
}

/// Somebody said it: an argument, RAY_ADDRESS or the settings file. nullopt when nobody did.
Result<std::optional<Location>> FromOffers(const Inputs& in) {
  std::optional<Location> location;
  Offer taken;
  std::vector<PassedOver> before;
  const std::vector<Offer> offers = in.AddressOffers();
  for (std::size_t i = 0; i < offers.size(); ++i) {
    const Offer& offer = offers[i];
    if (location) {
      location->decision.passed_over.push_back(PassOver(offer, taken.source + " comes first"));
      const auto other = ParseRayAddress(offer.value);
      if (!taken.is_argument && (!other || other->text != location->decision.value)) {
        location->warnings.push_back(fmt::format("{}={} and {}={} contradict each other; {} counts", taken.name,
                                                 settings::RedactPasswords(taken.value), offer.name,
                                                 settings::RedactPasswords(offer.value), taken.name));
      }
      continue;
    }
    auto address = ParseRayAddress(offer.value);
    if (!address) return Blame(offer, address.error().message);
    if (offer.is_argument && address->kind == AddressKind::kAuto && i + 1 < offers.size()) {
      before.push_back(PassOver(offer, "it leaves the choice to " + offers[i + 1].name));
      continue;
    }
    taken = offer;
    SEEDCORE_ASSIGN_OR_RETURN(location, FromOffer(in, offer, std::move(*address)));
    location->from_argument = offer.is_argument;
    std::ranges::move(before, std::back_inserter(location->decision.passed_over));
  }
  if (location) WeighHostVariables(in, taken, ReadHostVariables(in), *location);
  return location;
}

/// Nobody gave an address, but variables that only make sense with a cluster are set.
std::optional<Offer> OtherSignOfACluster(const Inputs& in) {
  const PlanArguments& arguments = in.raw().arguments;
  for (const auto& [name, value] :
       {std::pair<const char*, const std::string&>{"dashboard_url", arguments.dashboard_url},
        {"serve_url", arguments.serve_url}}) {
    if (!Trim(value).empty()) return Offer{std::string(Trim(value)), std::string("argument ") + name, name, true};
  }
  for (const char* name : {"RAY_DASHBOARD_URL", "RAY_DASHBOARD_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_SERVE_URL",
                           "RAY_SERVE_ADDRESS", "SERVE_GATEWAY"}) {
    std::string value = in.Environment(name);
    if (value.empty()) continue;
    // The embedded platform answers at a gateway on this host, too.
    const auto url = NormalizeUrl(value, kServePort);
    if (std::string_view(name) == "SERVE_GATEWAY" && url && IsLoopbackHost(HostOfUrl(*url))) continue;
    return Offer{std::move(value), std::string("environment ") + name, name};
  }
  for (const char* name : {"cluster.dashboard_url", "cluster.serve_url"}) {
    const auto found = in.raw().files.settings.find(name);
    if (found == in.raw().files.settings.end() || Trim(found->second.value).empty()) continue;
    return Offer{found->second.value, found->second.source, name};
  }
  return std::nullopt;
}

bool NamesDashboard(const Offer& offer) {
  return offer.name == "dashboard_url" || offer.name.starts_with("RAY_DASHBOARD") ||
         offer.name == "RAY_API_SERVER_ADDRESS" || offer.name == "cluster.dashboard_url";
}

/// A URL is known, but no address.
Result<Location> FromSign(const Inputs& in, const Offer& sign) {
  const auto url = NormalizeUrl(sign.value, NamesDashboard(sign) ? kDashboardPort : kServePort);
  if (!url) return Blame(sign, url.error().message);
  const std::string host = HostOfUrl(*url);
  std::vector<PassedOver> passed_over;
  if (auto here = FromThisHost(in, passed_over); here && (IsLoopbackHost(host) || host == here->where.host))
    return *here;
  if (in.raw().arguments.purpose == Purpose::kConnect) {
    return Blame(
        sign, fmt::format("it names a cluster, but nothing gives Ray's own address: set RAY_ADDRESS=ray://{}:{}", host,
                          kClientPort));
  }
  if (!NamesDashboard(sign)) {
    return Blame(
        sign, fmt::format("it names Serve, but nothing says where the dashboard is: set RAY_DASHBOARD_URL=http://{}:{}",
                          host, kDashboardPort));
  }
  SEEDCORE_ASSIGN_OR_RETURN(RayAddress address, ParseRayAddress(*url));
  return At(Mode::kDashboard, std::move(address), sign.source);
}

/// Nothing was said at all: look around on this host.
Location LookAround(const Inputs& in) {
  std::vector<PassedOver> passed_over;
  Location location;
  if (auto found = FromThisHost(in, passed_over)) {
    location = std::move(*found);
  } else if (in.IsKnown(kHostClient, true)) {
    location =
        At(Mode::kClient, *ParseRayAddress(std::string("ray://") + kHostClient), "a Ray Client server on this host");
  } else if (in.raw().arguments.purpose == Purpose::kRest && in.IsKnown(kHostDashboard, true)) {
    location =
        At(Mode::kDashboard, *ParseRayAddress(std::string("http://") + kHostDashboard), "a dashboard on this host");
  } else {
    location = At(Mode::kLocal, *ParseRayAddress("local"), "default: nothing names a cluster, and none runs here");
  }
  location.on_this_host = true;
  std::ranges::move(passed_over, std::back_inserter(location.decision.passed_over));
  return location;
}

}  // namespace

std::optional<HostVariables> ReadHostVariables(const Inputs& in) {
  const std::string host = in.Environment("RAY_HOST");
  std::string port = in.Environment("RAY_PORT");
  const bool service_link = port.starts_with("tcp://");
  if (service_link) port.clear();
  if (host.empty() && port.empty()) return std::nullopt;
  const Offer only_host{host, "environment RAY_HOST", "RAY_HOST"};
  const Offer only_port{port, "environment RAY_PORT", "RAY_PORT"};
  if (host.empty()) {
    return HostVariables{only_port,
                         Blame(only_port, "it is a port without a host: set RAY_HOST too, or RAY_ADDRESS alone")};
  }
  if (port.empty()) port = std::to_string(kClientPort);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || number == 0) {
    return HostVariables{only_port, Blame(only_port, "expected a port, 1 to 65535")};
  }
  // An IPv6 address has colons, and brackets only where a port follows.
  const bool bare_ipv6 = std::ranges::count(host, ':') > 1 && !host.starts_with('[');
  const std::string where = bare_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
  const Offer both{where, only_port.value.empty() ? "environment RAY_HOST" : "environment RAY_HOST and RAY_PORT",
                   "RAY_HOST"};
  auto address = ParseRayAddress(number == kGcsPort ? where : "ray://" + where);
  if (!address) {
    const bool port_is_wrong = number == kDashboardPort;
    return HostVariables{both, Blame(port_is_wrong ? only_port : only_host,
                                     port_is_wrong ? address.error().message
                                                   : "expected a host name; a whole address belongs into RAY_ADDRESS")};
  }
  return HostVariables{both, std::move(address)};
}

Result<Location> Locate(const Inputs& in) {
  SEEDCORE_ASSIGN_OR_RETURN(std::optional<Location> told, FromOffers(in));
  if (told) return std::move(*told);
  const Role role = in.role();
  const auto pair = ReadHostVariables(in);
  if (InRayPod(role)) {
    SEEDCORE_ASSIGN_OR_RETURN(
        Location location,
        Join(in, {"auto", fmt::format("default of a KubeRay {} pod", EnumToString(role)), "RAY_ADDRESS"}));
    if (pair)
      location.decision.passed_over.push_back(
          PassOver(pair->offer, "a pod of the cluster joins it directly; it is for clients"));
    return location;
  }
  if (pair) {
    if (!pair->address) return std::unexpected(pair->address.error());
    return At(pair->address->kind == AddressKind::kCluster ? Mode::kCluster : Mode::kClient, *pair->address,
              pair->offer.source);
  }
  if (!in.Environment(kServiceVariable).empty()) {
    return At(Mode::kClient, *ParseRayAddress(kServiceAddress),
              std::string("Kubernetes service link ") + kServiceVariable);
  }
  if (const auto sign = OtherSignOfACluster(in)) return FromSign(in, *sign);
  if (role == Role::kPod) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "environment RAY_ADDRESS is not set, and nothing else tells this pod where Ray is: set RAY_ADDRESS={}",
            kServiceAddress),
        "RAY_ADDRESS");
  }
  return LookAround(in);
}

}  // namespace seedcore::ray::internal

namespace seedcore::ray {

std::vector<std::string> AddressesToProbe(const PlanInput& input) {
  const internal::Inputs in(input);
  const auto offers = in.AddressOffers();
  const bool told =
      std::ranges::any_of(offers, [](const internal::Offer& offer) { return ToLower(offer.value) != "auto"; });
  if (told || in.role() != Role::kHost) return {};
  if (offers.empty() && internal::ReadHostVariables(in)) return {};
  std::vector<std::string> addresses;
  if (input.files.current_cluster) {
    if (const auto address = ParseRayAddress(*input.files.current_cluster);
        address && address->kind == AddressKind::kCluster) {
      addresses.push_back(address->text);
    }
  }
  if (offers.empty()) addresses.emplace_back(internal::kHostClient);
  addresses.emplace_back(internal::kHostDashboard);
  return addresses;
}

}  // namespace seedcore::ray
