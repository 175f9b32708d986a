#include <fmt/format.h>

#include "cli/api.h"
#include "cli/cluster.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

constexpr std::size_t kNameWidth = 11;

void Print(std::string_view name, const ray::Decision& decision) {
  fmt::print("{}{}  {}\n", Pad(name, kNameWidth), Paint(Color::kBold, decision.value),
             Paint(Color::kDim, "(" + decision.source + ")"));
  for (const ray::PassedOver& other : decision.passed_over) {
    fmt::print("{}not {} ({}): {}\n", Pad("", kNameWidth), other.value, other.source, other.reason);
  }
}

}  // namespace

int RunRayPlan(const Arguments& arguments) {
  const ray::Purpose purpose = arguments.Get("for", "connect") == "rest" ? ray::Purpose::kRest : ray::Purpose::kConnect;
  const auto plan = PlanFor(arguments, purpose);
  if (!plan) return ReportError(plan.error());
  if (arguments.Has("json")) {
    PrintJson(ToJson(*plan));
    return kExitOk;
  }
  fmt::print("{}{} from a {}\n", Pad("mode", kNameWidth), Paint(Color::kBold, EnumToString(plan->mode)),
             EnumToString(plan->role));
  Print("address", plan->address);
  Print("namespace", plan->ray_namespace);
  Print("serve", plan->serve_url);
  Print("dashboard", plan->dashboard_url);
  if (plan->auth == ray::AuthMode::kToken) {
    fmt::print("{}{} ({})\n", Pad("token", kNameWidth), plan->token_source, plan->token_reason);
  }
  for (const std::string& warning : plan->warnings) fmt::print(stderr, "seedcore: warning: {}\n", warning);
  return kExitOk;
}

}  // namespace seedcore::cli
