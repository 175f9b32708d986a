#include "ray/dashboard.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"
#include "net/client.h"
#include "net/target.h"
#include "ray/address.h"
#include "ray/listener_check.h"

namespace seedcore::ray {
namespace {

net::ClientOptions ClientOptionsOf(const DashboardOptions& options) {
  net::ClientOptions client;
  client.base_url = options.url;
  client.token = options.token;
  client.request = options.timeout;
  client.retry.max_retries = 1;
  return client;
}

/// The line of a text answer that says what is wrong. Validation errors and tracebacks put it last; pydantic ends with
/// a pointer to its documentation.
std::string MeaningfulLine(std::string_view body) {
  std::string best;
  std::string joined;
  std::size_t lines = 0;
  const bool traceback = body.find("Traceback (most recent call last)") != std::string_view::npos;
  for (std::size_t begin = 0; begin < body.size();) {
    const std::size_t end = std::min(body.find('\n', begin), body.size());
    const std::string_view line = Trim(body.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty() || line.starts_with("For further information")) continue;
    best = line;
    if (++lines <= 6) joined += (joined.empty() ? "" : ": ") + best;
  }
  constexpr std::size_t kLongest = 500;
  std::string text = traceback ? best : joined;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text.empty() ? "no reason given" : text;
}

/// What the dashboard says is wrong: the msg of its envelope, or its text.
std::string Reason(const net::Response& response) {
  if (const auto body = ParseJson(response.body); body && body->is_object()) {
    if (const json::value* msg = body->as_object().if_contains("msg"); msg != nullptr && msg->is_string()) {
      return MeaningfulLine(std::string(msg->as_string()));
    }
  }
  return MeaningfulLine(response.body);
}

}  // namespace

Dashboard::Dashboard(DashboardOptions options, Env& env)
    : options_(std::move(options)), env_(env), client_(std::make_unique<net::Client>(ClientOptionsOf(options_), env)) {}
Dashboard::~Dashboard() = default;

Error Dashboard::Explain(Error error, const CallContext& call) const {
  if (error.code != ErrorCode::kUnavailable) return error;
  const auto base = net::ParseBaseUrl(options_.url);
  if (!base) return error;
  const Listener listener = CheckListener(base->where, call.Within(std::chrono::seconds(2), env_).deadline, env_);
  error.message = Describe(listener, base->where);
  return error;
}

Result<net::Response> Dashboard::Send(net::Method method, const std::string& target, const std::string& body,
                                      const CallContext& call) {
  if (options_.url.starts_with("https://")) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{}: the dashboard speaks plain HTTP, and so does this command: write http://, or go through a proxy "
            "that ends TLS",
            options_.url));
  }
  net::ClientRequest request{.method = method, .target = target, .body = body};
  auto response = client_->SendForAnyStatus(request, call);
  if (!response) return std::unexpected(Explain(std::move(response).error(), call));
  if (response->status < 400) return response;
  switch (response->status) {
    case 401:
      return Fail(
          ErrorCode::kUnauthenticated,
          fmt::format(
              "{} wants a token and got none: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN unless ~/.ray/auth_token "
              "has it",
              options_.url));
    case 403:
      return Fail(ErrorCode::kPermissionDenied,
                  options_.token.empty()
                      ? fmt::format("{} refuses the call: {}", options_.url, Reason(*response))
                      : fmt::format("{} refuses the token: it is not the one of this cluster", options_.url));
    case 404: return Fail(ErrorCode::kNotFound, Reason(*response));
    default: break;
  }
  if (response->status == 400 && response->body.find("HTTPS port") != std::string::npos) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} wants TLS and was spoken to in plain HTTP", options_.url));
  }
  const ErrorCode code = response->status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable;
  return Fail(code, fmt::format("the dashboard answered {}: {}", response->status, Reason(*response)));
}

Result<json::value> Dashboard::Ask(net::Method method, const std::string& target, const std::string& body,
                                   const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const net::Response response, Send(method, target, body, call));
  auto document = ParseJson(response.body);
  if (!document) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} is a web server, but no Ray dashboard: {} is not JSON", options_.url, target));
  }
  return std::move(*document);
}

template <class T>
Result<T> Dashboard::Read(const std::string& target, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value document, Ask(net::Method::kGet, target, "", call));
  auto parsed = FromJson<T>(document);
  if (parsed) return parsed;
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} answered {} in a shape this version does not know: {}", options_.url, target,
                          parsed.error().message),
              parsed.error().path);
}

/// The envelope of /api/v0: {"result": bool, "msg": "...", "data": {"result": {...}}}.
template <class T>
struct StateData {
  T result;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields = Fields(Required("result", &StateData::result, "The list"));
};
template <class T>
struct StateAnswer {
  StateData<T> data;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields = Fields(Required("data", &StateAnswer::data, "The answer"));
};

template <class T>
Result<T> Dashboard::ReadState(const std::string& target, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(StateAnswer<T> answer, Read<StateAnswer<T>>(target, call));
  return std::move(answer.data.result);
}

Result<VersionInfo> Dashboard::Version(const CallContext& call) {
  auto version = Read<VersionInfo>("/api/version", call);
  if (!version && version.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} is a web server, but no Ray dashboard: it has no /api/version", options_.url));
  }
  return version;
}

Result<Listing<NodeInfo>> Dashboard::Nodes(const CallContext& call) {
  return ReadState<Listing<NodeInfo>>(fmt::format("/api/v0/nodes?detail=1&limit={}", kMaxListed), call);
}

Result<Listing<ActorInfo>> Dashboard::Actors(const ActorFilter& filter, int limit, const CallContext& call) {
  if (limit < 1 || limit > kMaxListed) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected a limit from 1 to {}, got {}", kMaxListed, limit),
                "limit");
  }
  std::string target = fmt::format("/api/v0/actors?detail=1&limit={}", limit);
  for (const auto& [key, value] : {std::pair<const char*, const std::string&>{"state", filter.state},
                                   {"ray_namespace", filter.ray_namespace},
                                   {"name", filter.name}}) {
    if (value.empty()) continue;
    target += fmt::format("&filter_keys={}&filter_predicates=%3D&filter_values={}", key, PercentEncode(value));
  }
  return ReadState<Listing<ActorInfo>>(target, call);
}

Result<std::map<std::string, ResourceUsage>> Dashboard::Usage(const std::vector<NodeInfo>& nodes,
                                                              const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value document, Ask(net::Method::kGet, "/api/cluster_status", "", call));
  boost::system::error_code missing;
  const json::value* usage = document.find_pointer("/data/clusterStatus/loadMetricsReport/usage", missing);
  std::map<std::string, ResourceUsage> by_name;
  if (usage == nullptr || !usage->is_object()) return by_name;  // the autoscaler has not reported yet
  for (const NodeInfo& node : nodes) {
    for (const auto& total : node.resources_total) {
      const json::value* pair = usage->as_object().if_contains(CamelCase(total.first));
      const json::array* amounts = pair == nullptr ? nullptr : pair->if_array();
      if (amounts == nullptr || amounts->size() != 2 || !amounts->at(0).is_number() || !amounts->at(1).is_number())
        continue;
      by_name[total.first] = {JsonToDouble(amounts->at(0)), JsonToDouble(amounts->at(1))};
    }
  }
  return by_name;
}

Result<ServeInfo> Dashboard::Serve(const CallContext& call) {
  return Read<ServeInfo>("/api/serve/applications/", call);
}

Result<void> Dashboard::PutServe(const json::object& config, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const net::Response response,
                            Send(net::Method::kPut, "/api/serve/applications/", WriteJson(config), call));
  (void)response;
  return {};
}

Result<std::vector<JobInfo>> Dashboard::Jobs(const CallContext& call) {
  return Read<std::vector<JobInfo>>("/api/jobs/", call);
}

Result<std::string> Dashboard::SubmitJob(const JobRequest& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value answer, Ask(net::Method::kPost, "/api/jobs/", ToJsonText(request), call));
  const auto* members = answer.if_object();
  const json::value* id = members == nullptr ? nullptr : members->if_contains("submission_id");
  if (id == nullptr || !id->is_string())
    return Fail(ErrorCode::kUnavailable, "the dashboard gave the job no submission id");
  return std::string(id->get_string());
}

Result<JobInfo> Dashboard::Job(const std::string& id, const CallContext& call) {
  return Read<JobInfo>("/api/jobs/" + PercentEncode(id), call);
}

Result<std::string> Dashboard::JobLogs(const std::string& id, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value answer,
                            Ask(net::Method::kGet, "/api/jobs/" + PercentEncode(id) + "/logs", "", call));
  const auto* members = answer.if_object();
  const json::value* logs = members == nullptr ? nullptr : members->if_contains("logs");
  return logs != nullptr && logs->is_string() ? std::string(logs->get_string()) : std::string();
}

Result<void> Dashboard::StopJob(const std::string& id, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const net::Response response,
                            Send(net::Method::kPost, "/api/jobs/" + PercentEncode(id) + "/stop", "", call));
  (void)response;
  return {};
}

std::string CamelCase(std::string_view name) {
  std::string out;
  bool first = true;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('_', begin), name.size());
    bool after_letter = false;  // Python's title(): upper after a non-letter, lower after a letter
    for (const char c : name.substr(begin, end - begin)) {
      const bool lower = c >= 'a' && c <= 'z';
      const bool upper = c >= 'A' && c <= 'Z';
      if (!first && lower && !after_letter) {
        out += static_cast<char>(c - 'a' + 'A');
      } else if (!first && upper && after_letter) {
        out += static_cast<char>(c - 'A' + 'a');
      } else {
        out += c;
      }
      after_letter = lower || upper;
    }
    first = false;
    begin = end + 1;
  }
  return out;
}

}  // namespace seedcore::ray
