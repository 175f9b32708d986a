#include "ray/connection_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/strings.h"
#include "ray/plan_internal.h"
#include "settings/redact.h"

namespace seedcore::ray {
namespace internal {

std::unexpected<Error> Blame(const Offer& offer, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{}={}: {}", offer.source, settings::RedactPasswords(offer.value), why), offer.name);
}

PassedOver PassOver(const Offer& offer, std::string reason) {
  return {settings::RedactPasswords(offer.value), offer.source, std::move(reason)};
}

std::string Inputs::Environment(const std::string& name) const {
  const auto found = input_.environment.find(name);
  return found == input_.environment.end() ? std::string() : std::string(Trim(found->second));
}

std::vector<Offer> Inputs::Offers(std::string_view argument_name, std::string_view argument,
                                  const std::vector<std::string>& variables, const std::string& setting) const {
  std::vector<Offer> offers;
  if (!Trim(argument).empty()) {
    offers.push_back(
        {std::string(Trim(argument)), fmt::format("argument {}", argument_name), std::string(argument_name), true});
  }
  for (const std::string& variable : variables) {
    std::string value = Environment(variable);
    if (!value.empty()) offers.push_back({std::move(value), "environment " + variable, variable});
  }
  const auto found = input_.files.settings.find(setting);
  if (found != input_.files.settings.end() && !Trim(found->second.value).empty()) {
    offers.push_back({std::string(Trim(found->second.value)), found->second.source, setting});
  }
  return offers;
}

std::vector<Offer> Inputs::AddressOffers() const {
  return Offers("address", input_.arguments.address, {"RAY_ADDRESS"}, "cluster.ray_address");
}

Role Inputs::role() const {
  const std::string start_command = Environment("KUBERAY_GEN_RAY_START_CMD");
  if (start_command.find("--head") != std::string::npos) return Role::kHead;
  if (!start_command.empty() || !Environment("FQ_RAY_IP").empty()) return Role::kWorker;
  return Environment("KUBERNETES_SERVICE_HOST").empty() ? Role::kHost : Role::kPod;
}

bool Inputs::IsKnown(const std::string& address, bool reachable) const {
  const auto found = input_.reachable.find(address);
  return found != input_.reachable.end() && found->second == reachable;
}

}  // namespace internal

namespace {

using internal::Blame;
using internal::Inputs;
using internal::Location;
using internal::Offer;
using internal::PassOver;

/// What to take a URL from.
struct UrlQuestion {
  std::vector<Offer> offers;
  std::uint16_t default_port = 0;
  std::string fallback;  ///< a URL derived from the address
  std::string fallback_source;
  std::string_view not_compared;  ///< a variable that may differ from the others without contradicting them
};

/// The host the environment means, when it means one.
std::string EnvironmentHost(const Inputs& in) {
  const auto address = ParseRayAddress(in.Environment("RAY_ADDRESS"));
  if (address && !address->where.host.empty()) return address->where.host;
  return in.Environment("RAY_HOST");
}

Result<Decision> DecideUrl(const Inputs& in, const Location& location, const UrlQuestion& question,
                           std::vector<std::string>& warnings) {
  Decision decision;
  Offer taken;
  const std::string environment_host = EnvironmentHost(in);
  const bool other_cluster =
      location.from_argument && !environment_host.empty() && environment_host != location.where.host;
  for (const Offer& offer : question.offers) {
    const auto url = NormalizeUrl(offer.value, question.default_port);
    if (other_cluster && !offer.is_argument && (!url || HostOfUrl(*url) != location.where.host)) {
      decision.passed_over.push_back(
          PassOver(offer, fmt::format("it goes with {}, and the address was given as an argument", environment_host)));
      continue;
    }
    if (decision.value.empty()) {
      if (!url) return Blame(offer, url.error().message);
      decision.value = *url;
      decision.source = offer.source;
      taken = offer;
      continue;
    }
    decision.passed_over.push_back(PassOver(offer, taken.source + " comes first"));
    const bool agree = url && *url == decision.value;
    if (!agree && !taken.is_argument && taken.name != question.not_compared) {
      warnings.push_back(fmt::format("{}={} and {}={} contradict each other; {} counts", taken.name,
                                     settings::RedactPasswords(taken.value), offer.name,
                                     settings::RedactPasswords(offer.value), taken.name));
    }
  }
  if (decision.value.empty()) {
    decision.value = question.fallback;
    decision.source = question.fallback_source;
  }
  return decision;
}

std::string UrlOf(const std::string& host, std::uint16_t port) {
  return "http://" + net::HostPort{host, port}.ToString();
}

/// Serve's proxy, as seen from an address: beside the head, but behind the stable service where SeedCore's manifests
/// separate the two.
UrlQuestion ServeQuestion(const Inputs& in, const Location& location) {
  UrlQuestion question;
  question.offers = in.Offers("serve_url", in.raw().arguments.serve_url,
                              {"SERVE_GATEWAY", "RAY_SERVE_URL", "RAY_SERVE_ADDRESS"}, "cluster.serve_url");
  question.default_port = kServePort;
  question.not_compared = "SERVE_GATEWAY";
  std::string host = location.where.host;
  question.fallback_source = "derived from the address";
  if (host.empty() || IsLoopbackHost(host)) {
    host = "127.0.0.1";
    if (location.where.host.empty()) question.fallback_source = "default";
  } else if (const std::size_t at = host.find("-head-svc");
             at != std::string::npos && host != in.Environment("FQ_RAY_IP")) {
    host.replace(at, std::string_view("-head-svc").size(), "-stable-svc");
  }
  question.fallback = UrlOf(host, kServePort);
  return question;
}

UrlQuestion DashboardQuestion(const Inputs& in, const Location& location) {
  UrlQuestion question;
  question.offers =
      in.Offers("dashboard_url", in.raw().arguments.dashboard_url,
                {"RAY_DASHBOARD_URL", "RAY_DASHBOARD_ADDRESS", "RAY_API_SERVER_ADDRESS"}, "cluster.dashboard_url");
  question.default_port = kDashboardPort;
  // On the host of the head the dashboard listens on loopback alone, unless it was told otherwise.
  const bool on_loopback = location.on_this_host && in.IsKnown("127.0.0.1:8265", true);
  if (location.where.host.empty() || on_loopback) {
    question.fallback = UrlOf("127.0.0.1", kDashboardPort);
    question.fallback_source = on_loopback ? "a dashboard on this host" : "default";
  } else {
    question.fallback = UrlOf(location.where.host, kDashboardPort);
    question.fallback_source = "derived from the address";
  }
  if (location.mode != Mode::kDashboard) return question;
  // The address is itself the dashboard: it stands where its source stands, before the variables.
  question.fallback = location.decision.value;
  question.fallback_source = location.decision.source;
  const Offer own{location.decision.value, location.decision.source, "RAY_ADDRESS", location.from_argument};
  const bool has_argument = !question.offers.empty() && question.offers.front().is_argument;
  const bool same =
      std::ranges::any_of(question.offers, [&](const Offer& offer) { return offer.source == own.source; });
  if (!same) question.offers.insert(question.offers.begin() + (has_argument ? 1 : 0), own);
  return question;
}

Result<Decision> DecideNamespace(const Inputs& in, std::vector<std::string>& warnings) {
  const std::vector<Offer> offers = in.Offers("namespace", in.raw().arguments.ray_namespace,
                                              {"SEEDCORE_NS", "RAY_NAMESPACE"}, "cluster.ray_namespace");
  if (offers.empty()) return Decision{"seedcore-dev", "default", {}};
  const Offer& taken = offers.front();
  const bool is_text = taken.value.size() <= 256 && net::IsUtf8(taken.value) &&
                       std::ranges::none_of(taken.value, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!is_text) return Blame(taken, "expected a name of at most 256 bytes without control characters");
  Decision decision{taken.value, taken.source, {}};
  for (const Offer& offer : offers) {
    if (&offer == &taken) continue;
    decision.passed_over.push_back(PassOver(offer, taken.source + " comes first"));
    if (offer.value != taken.value && !taken.is_argument) {
      warnings.push_back(fmt::format("{}={} and {}={} contradict each other; {} counts", taken.name, taken.value,
                                     offer.name, offer.value, taken.name));
    }
  }
  return decision;
}

struct FoundToken {
  std::string token;
  std::string source;
};

/// Ray's own order: the variable, the file that a variable names, the file in the home directory; nullopt: none of
/// them.
Result<std::optional<FoundToken>> FindToken(const Inputs& in) {
  FoundToken found;
  const std::string path = in.Environment("RAY_AUTH_TOKEN_PATH");
  if (const std::string token = in.Environment("RAY_AUTH_TOKEN"); !token.empty()) {
    found = {token, "environment RAY_AUTH_TOKEN"};
  } else if (!path.empty()) {
    const Offer named{path, "environment RAY_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN_PATH"};
    if (!in.raw().files.token || Trim(*in.raw().files.token).empty())
      return Blame(named, "the file can't be read, or is empty");
    found = {std::string(Trim(*in.raw().files.token)), "file " + path + " (RAY_AUTH_TOKEN_PATH)"};
  } else if (in.raw().files.default_token && !Trim(*in.raw().files.default_token).empty()) {
    found = {std::string(Trim(*in.raw().files.default_token)), "file ~/.ray/auth_token"};
  } else {
    return std::nullopt;
  }
  if (found.token.find_first_of("\r\n") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, found.source + ": the token has more than one line", "RAY_AUTH_TOKEN");
  }
  return found;
}

/// Ray's own rules. With RAY_AUTH_MODE unset `ray start --head` wants a token wherever it finds one, and whoever looks
/// for the cluster of this host sends it; to an address that somebody named, nobody sends a token unasked.
Result<void> DecideAuth(const Inputs& in, const Location& location, ConnectionPlan& plan) {
  const Offer mode{in.Environment("RAY_AUTH_MODE"), "environment RAY_AUTH_MODE", "RAY_AUTH_MODE"};
  const std::string lower = ToLower(mode.value);
  if (!lower.empty() && lower != "disabled" && lower != "token") return Blame(mode, "expected token or disabled");
  const bool by_itself = lower.empty() && location.on_this_host && location.mode != Mode::kLocal;
  if (lower != "token" && !by_itself) {
    if (!in.Environment("RAY_AUTH_TOKEN").empty())
      plan.warnings.emplace_back("RAY_AUTH_TOKEN is set, but no token is sent unless RAY_AUTH_MODE=token");
    return {};
  }
  SEEDCORE_ASSIGN_OR_RETURN(std::optional<FoundToken> found, FindToken(in));
  if (!found) {
    if (by_itself) return {};
    return Blame(mode, "there is no token: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH, or write ~/.ray/auth_token");
  }
  plan.auth = AuthMode::kToken;
  plan.token = std::move(found->token);
  plan.token_source = std::move(found->source);
  plan.token_reason = by_itself ? "RAY_AUTH_MODE is not set, and Ray on this host turns token mode on by itself where "
                                  "it finds a token; RAY_AUTH_MODE=disabled prevents it"
                                : "RAY_AUTH_MODE=token";
  return {};
}

}  // namespace

Result<ConnectionPlan> MakeConnectionPlan(const PlanInput& input) {
  const Inputs in(input);
  SEEDCORE_ASSIGN_OR_RETURN(Location location, internal::Locate(in));
  ConnectionPlan plan;
  plan.role = in.role();
  plan.mode = location.mode;
  plan.warnings = location.warnings;
  SEEDCORE_ASSIGN_OR_RETURN(plan.ray_namespace, DecideNamespace(in, plan.warnings));
  SEEDCORE_ASSIGN_OR_RETURN(plan.serve_url, DecideUrl(in, location, ServeQuestion(in, location), plan.warnings));
  SEEDCORE_ASSIGN_OR_RETURN(plan.dashboard_url,
                            DecideUrl(in, location, DashboardQuestion(in, location), plan.warnings));
  SEEDCORE_RETURN_IF_ERROR(DecideAuth(in, location, plan));
  plan.address = std::move(location.decision);
  return plan;
}

}  // namespace seedcore::ray
