#include <fmt/format.h>

#include "base/strings.h"
#include "cli/api.h"
#include "cli/client_commands.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

Result<void> Needs(const Arguments& arguments, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (arguments.Get(name).empty()) return Fail(ErrorCode::kInvalidArgument, "this one has to be given", name);
  }
  return {};
}

Result<json::value> Around(Api& api, const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(const int k, arguments.Number("k", 1));
  std::string target = fmt::format("/api/v1/graph/neighbourhood?kind={}&id={}&k={}",
                                   PercentEncode(arguments.Get("KIND")), PercentEncode(arguments.Get("ID")), k);
  if (arguments.Has("edges")) target += "&edge_kinds=" + PercentEncode(arguments.Get("edges"));
  return api.Get(target);
}

Result<json::value> Like(Api& api, const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(const int topk, arguments.Number("topk", 10));
  json::object node{{"kind", arguments.Get("KIND")}, {"id", arguments.Get("ID")}};
  return api.Post(
      "/api/v1/graph/search",
      json::object{{"like", json::array{std::move(node)}}, {"topk", topk}, {"metric", arguments.Get("metric", "l2")}});
}

Result<json::value> ActOnGraph(Api& api, const Arguments& arguments, const std::string& action) {
  SEEDCORE_RETURN_IF_ERROR(Needs(arguments, {"KIND", "ID"}));
  if (action == "around") return Around(api, arguments);
  if (action == "like") return Like(api, arguments);
  const std::string kind = PercentEncode(arguments.Get("KIND")), id = PercentEncode(arguments.Get("ID"));
  if (action == "node") return api.Get(fmt::format("/api/v1/graph/nodes/{}/{}", kind, id));
  SEEDCORE_RETURN_IF_ERROR(Needs(arguments, {"TO"}));
  const std::string edge = fmt::format("/api/v1/graph/edges/{}/{}/{}", kind, id, PercentEncode(arguments.Get("TO")));
  return action == "link" ? api.Put(edge, json::object()) : api.Delete(edge);
}

void PrintNode(const json::value& node, const std::string& before) {
  fmt::print("{}{:<12} {}  {}  {}\n", before, TextOf(node, "kind"), TextOf(node, "id"), TextOf(node, "label"),
             Cut(TextOf(node, "text"), 60));
}

}  // namespace

int RunGraph(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const std::string action = arguments.Get("ACTION", "around");
  const auto reply = ActOnGraph(api, arguments, action);
  if (!reply) return ReportError(reply.error());
  if (arguments.Has("json")) {
    PrintJson(*reply);
  } else if (action == "node") {
    PrintNode(*reply, "");
  } else if (action == "around") {
    for (const json::value& node : reply->at("nodes").as_array()) {
      PrintNode(node, fmt::format("{} ", node.at("hop").to_number<int>()));
    }
    if (reply->at("truncated").as_bool()) fmt::print("a bound left something out\n");
  } else if (action == "like") {
    for (const json::value& hit : reply->at("items").as_array()) {
      fmt::print("{:.4f} {:<12} {}  {}\n", hit.at("distance").to_number<double>(), TextOf(hit, "kind"),
                 TextOf(hit, "id"), TextOf(hit, "label"));
    }
  } else {
    fmt::print("{}\n", reply->at("changed").as_bool() ? "done" : "nothing to do");
  }
  return kExitOk;
}

}  // namespace seedcore::cli
