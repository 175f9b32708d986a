#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/env.h"
#include "base/strings.h"
#include "cli/api.h"
#include "cli/client_commands.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

constexpr int kFactsListed = 20;

std::string JoinedText(const Arguments& arguments) { return fmt::format("{}", fmt::join(arguments.All("TEXT"), " ")); }

Result<json::value> AddFact(Api& api, const Arguments& arguments) {
  json::array tags;
  for (const std::string& tag : arguments.All("tag")) tags.push_back(json::string(tag));
  return api.Post("/api/v1/facts", json::object{{"text", JoinedText(arguments)}, {"tags", std::move(tags)}});
}

Result<json::value> ListFacts(Api& api, const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(const int limit, arguments.Number("limit", kFactsListed));
  std::string path = fmt::format("/api/v1/facts?limit={}", limit);
  const std::string words = JoinedText(arguments);
  if (!words.empty()) path += "&q=" + PercentEncode(words);
  if (arguments.Has("tag")) path += "&tag=" + PercentEncode(arguments.Get("tag"));
  return api.Get(path);
}

void PrintFact(const json::value& fact) {
  std::string tags;
  for (const json::value& tag : fact.at("tags").as_array()) tags += " #" + std::string(tag.as_string());
  fmt::print("{}  {}{}\n", Paint(Color::kDim, TextOf(fact, "id").substr(0, kShortIdLength)), TextOf(fact, "text"),
             Paint(Color::kCyan, tags));
}

}  // namespace

int RunFacts(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  Api api(settings->client);
  const std::string action = arguments.Get("ACTION", "list");
  const auto reply = action == "add"      ? AddFact(api, arguments)
                     : action == "delete" ? api.Delete("/api/v1/facts/" + PercentEncode(JoinedText(arguments)))
                                          : ListFacts(api, arguments);
  if (!reply) return ReportError(reply.error());
  if (arguments.Has("json")) {
    PrintJson(*reply);
  } else if (action == "delete") {
    fmt::print("deleted {}\n", TextOf(*reply, "deleted"));
  } else if (action == "add") {
    PrintFact(*reply);
  } else {
    for (const json::value& fact : reply->at("items").as_array()) PrintFact(fact);
  }
  return kExitOk;
}

}  // namespace seedcore::cli
