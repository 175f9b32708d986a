#include "cli/ray_client_commands.h"

#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "base/env.h"
#include "cli/api.h"
#include "cli/cluster.h"
#include "net/target.h"
#include "ray/client/ray_client.h"
#include "ray/client/tls_environment.h"

namespace seedcore::cli {
namespace {

constexpr const char* kDefaultKvNamespace = "seedcore";
constexpr std::chrono::seconds kRayClientPatience{30};

constexpr const char* kArgsHelp =
    "The arguments, a JSON array. JSON and Python: null None, true True, 3 int, 0.5 float, \"x\" str, [..] list, {..} "
    "dict; "
    "what JSON lacks is written {\"$bytes\": \"BASE64\"}, {\"$tuple\": [..]}, {\"$float\": \"nan\"}, and printed so";

/// A client and the time one command may take.
struct Connection {
  std::unique_ptr<ray::RayClient> client;
  CallContext call;
};

Result<Connection> Connect(const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(ray::ConnectionPlan plan, PlanFor(arguments, ray::Purpose::kConnect));
  for (const std::string& warning : plan.warnings) fmt::print(stderr, "seedcore: warning: {}\n", warning);
  if (plan.mode != ray::Mode::kClient) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("this needs the Ray Client server, ray://HOST:10001, and the address is '{}' ({})",
                            plan.address.value, plan.address.source),
                "--address");
  }
  SEEDCORE_ASSIGN_OR_RETURN(auto tls, ray::TlsFromEnvironment(ray::ProcessEnvironment()));
  SEEDCORE_ASSIGN_OR_RETURN(const CallContext call, CallFor(arguments, kRayClientPatience));
  SEEDCORE_ASSIGN_OR_RETURN(auto client, ray::ConnectRayClient({.address = plan.address.value,
                                                                .ray_namespace = plan.ray_namespace.value,
                                                                .token = plan.token,
                                                                .tls = std::move(tls)},
                                                               RealEnv(), call));
  return Connection{std::move(client), call};
}

std::unexpected<Error> Usage(std::string what) { return Fail(ErrorCode::kInvalidArgument, std::move(what)); }

/// Text as a JSON string, other bytes in the form that arguments of calls take as well.
json::value BytesJson(const std::string& bytes) {
  if (net::IsUtf8(bytes)) return json::string(bytes);
  return ray::PyToJson(ray::PyValue{ray::PyValue::Bytes{bytes}});
}

/// Prints what a command found: as JSON when that was asked for, otherwise `plain` as it is.
void Print(const Arguments& arguments, const json::value& value, const std::string& plain) {
  if (arguments.Has("json")) {
    PrintJson(value);
  } else {
    fmt::print("{}", plain);
  }
}

Result<int> KvGet(const Arguments& arguments, const std::string& space, const std::string& key) {
  SEEDCORE_ASSIGN_OR_RETURN(const Connection connection, Connect(arguments));
  SEEDCORE_ASSIGN_OR_RETURN(const auto value, connection.client->KvGet(space, key, connection.call));
  if (!value) return Fail(ErrorCode::kNotFound, fmt::format("no key '{}' in namespace '{}'", key, space));
  Print(arguments, json::object{{"key", BytesJson(key)}, {"value", BytesJson(*value)}}, *value + "\n");
  return kExitOk;
}

Result<int> KvPut(const Arguments& arguments, const std::string& space, const std::string& key, std::string value) {
  if (value == "-") value.assign(std::istreambuf_iterator<char>(std::cin), {});
  SEEDCORE_ASSIGN_OR_RETURN(const Connection connection, Connect(arguments));
  const bool overwrite = !arguments.Has("if-absent");
  SEEDCORE_ASSIGN_OR_RETURN(const bool existed,
                            connection.client->KvPut(space, key, value, overwrite, connection.call));
  if (existed && !overwrite) return Fail(ErrorCode::kConflict, fmt::format("the key '{}' exists already", key));
  Print(arguments, json::object{{"key", BytesJson(key)}, {"existed", existed}}, "");
  return kExitOk;
}

Result<int> KvList(const Arguments& arguments, const std::string& space, const std::string& prefix) {
  SEEDCORE_ASSIGN_OR_RETURN(const Connection connection, Connect(arguments));
  SEEDCORE_ASSIGN_OR_RETURN(const auto keys, connection.client->KvList(space, prefix, connection.call));
  json::array listed;
  std::string plain;
  for (const std::string& key : keys) {
    listed.push_back(BytesJson(key));
    plain += key + "\n";
  }
  Print(arguments, listed, plain);
  return kExitOk;
}

Result<int> KvDelete(const Arguments& arguments, const std::string& space, const std::string& key) {
  SEEDCORE_ASSIGN_OR_RETURN(const Connection connection, Connect(arguments));
  SEEDCORE_ASSIGN_OR_RETURN(const int gone,
                            connection.client->KvDelete(space, key, arguments.Has("prefix"), connection.call));
  if (gone == 0) return Fail(ErrorCode::kNotFound, fmt::format("no key '{}' in namespace '{}'", key, space));
  Print(arguments, json::object{{"deleted", gone}}, fmt::format("deleted {}\n", gone));
  return kExitOk;
}

Result<int> Kv(const Arguments& arguments) {
  const std::string action = arguments.Get("ACTION");
  const std::string space = arguments.Get("kv-namespace", kDefaultKvNamespace);
  const std::string key = arguments.Get("KEY");
  if (action == "list" && !arguments.Has("VALUE")) return KvList(arguments, space, key);
  if (key.empty() || arguments.Has("VALUE") != (action == "put")) {
    return Usage("expected: ray kv get KEY | put KEY VALUE | list [PREFIX] | del KEY");
  }
  if (action == "get") return KvGet(arguments, space, key);
  if (action == "put") return KvPut(arguments, space, key, arguments.Get("VALUE"));
  return KvDelete(arguments, space, key);
}

Result<int> CallActor(const Arguments& arguments) {
  ray::ActorCall actor_call{.actor = arguments.Get("ACTOR"), .method = arguments.Get("METHOD")};
  const auto read = [](const std::string& text, std::string_view what) -> Result<ray::PyValue> {
    const auto parsed = ParseJson(text);
    if (!parsed) return Fail(ErrorCode::kInvalidArgument, parsed.error().message, std::string(what));
    return ray::PyFromJson(*parsed);
  };
  if (arguments.Has("ARGS")) {
    SEEDCORE_ASSIGN_OR_RETURN(ray::PyValue args, read(arguments.Get("ARGS"), "ARGS"));
    auto* list = std::get_if<ray::PyValue::List>(&args.data);
    if (list == nullptr) return Usage("ARGS: expected a JSON array, for example '[1, \"two\"]'");
    actor_call.args = std::move(*list);
  }
  if (arguments.Has("kwargs")) {
    SEEDCORE_ASSIGN_OR_RETURN(ray::PyValue kwargs, read(arguments.Get("kwargs"), "--kwargs"));
    auto* dict = std::get_if<ray::PyValue::Dict>(&kwargs.data);
    if (dict == nullptr) return Usage("--kwargs: expected a JSON object, for example '{\"times\": 2}'");
    actor_call.kwargs = std::move(*dict);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const Connection connection, Connect(arguments));
  SEEDCORE_ASSIGN_OR_RETURN(const ray::PyValue result, connection.client->CallActor(actor_call, connection.call));
  PrintJson(ray::PyToJson(result));
  return kExitOk;
}

}  // namespace

int RunRayKv(const Arguments& arguments) {
  const auto code = Kv(arguments);
  return code ? *code : ReportError(code.error());
}

int RunRayCall(const Arguments& arguments) {
  const auto code = CallActor(arguments);
  return code ? *code : ReportError(code.error());
}

namespace {

std::vector<Option> WithCommonOptions(std::vector<Option> own) {
  const std::vector<Option> common{{.name = "--address", .help = "ray://HOST:PORT of the Ray Client server"},
                                   {.name = "--namespace", .help = "Namespace of the actors"},
                                   {.name = "--config", .help = "YAML file with settings"},
                                   {.name = "--timeout-s", .help = "Seconds for the whole command (30)"}};
  own.insert(own.end(), common.begin(), common.end());
  return own;
}

}  // namespace

Command RayKvCommand() {
  return {.name = "ray kv",
          .summary = "Read and write the key-value store of the cluster",
          .options =
              WithCommonOptions({{.name = "ACTION",
                                  .help = "get, put, list or del",
                                  .required = true,
                                  .choices = {"get", "put", "list", "del"}},
                                 {.name = "KEY", .help = "The key; of list the start of the keys"},
                                 {.name = "VALUE", .help = "put: the value, or - for standard input"},
                                 {.name = "--kv-namespace", .help = "Namespace of the keys (seedcore)"},
                                 {.name = "--if-absent", .help = "put: keep a value that is there", .is_flag = true},
                                 {.name = "--prefix", .help = "del: every key that starts with KEY", .is_flag = true},
                                 {.name = "--json", .help = "Print JSON", .is_flag = true}}),
          .run = &RunRayKv};
}

Command RayCallCommand() {
  return {.name = "ray call",
          .summary = "Call a method of a named actor and print its result as JSON",
          .options = WithCommonOptions({{.name = "ACTOR", .help = "Name of the actor", .required = true},
                                        {.name = "METHOD", .help = "Its method", .required = true},
                                        {.name = "ARGS", .help = kArgsHelp},
                                        {.name = "--kwargs", .help = "Keyword arguments, a JSON object"}}),
          .run = &RunRayCall};
}

}  // namespace seedcore::cli
