// Failure analysis: what anomalies, error texts, figures, facts and earlier incidents say, weighed against each other.
#include <algorithm>

#include <fmt/format.h>

#include "base/strings.h"
#include "cognitive/rules/anomalies.h"
#include "cognitive/rules/cues.h"
#include "cognitive/rules/evidence.h"
#include "cognitive/rules/memory_votes.h"
#include "cognitive/rules/rules.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr std::size_t kMaxLeaves = 500;
constexpr std::size_t kMaxErrors = 10;

class Analysis {
 public:
  Analysis(const ReasoningRequest& request, const Knowledge& knowledge)
      : incident_(request.incident_context), knowledge_(knowledge) {}

  Result<FailureAnalysis> Run() {
    SEEDCORE_RETURN_IF_ERROR(LookAtAnomalies());
    LookAtErrorsAndFigures();
    VoteFromMemory(knowledge_, book_, votes_);
    const Votes::Verdict verdict = votes_.Decide();

    FailureAnalysis answer;
    answer.action = verdict.action;
    answer.confidence_score = verdict.confidence;
    answer.proposed_solution = Propose(verdict.action);
    answer.solution_evidence = votes_.EvidenceFor(verdict.action);
    AddContradiction(verdict);
    answer.findings = votes_.findings();
    answer.thought = answer.findings.empty() ? "The incident context holds nothing that can be weighed."
                                             : Paragraph(answer.findings);
    answer.risk_factors = std::move(risks_);
    answer.evidence = std::move(book_).Take();
    return answer;
  }

 private:
  Result<void> LookAtAnomalies() {
    const json::value* given = incident_.if_contains("anomalies");
    if (given == nullptr || given->is_null()) return {};
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<Anomaly> anomalies, ReadAnomalies(*given, "incident_context.anomalies"));
    stats_ = Measure(anomalies);
    const std::string count = book_.Add("stat:anomalies.count", fmt::format("{} reported", stats_.count));
    if (stats_.count == 0) {
      votes_.Add(Action::kIgnore, 2.0, {"No anomaly was reported.", {count}});
      return {};
    }
    VoteBySeverity(count);
    VoteByShape();
    const Anomaly& strongest = anomalies[stats_.strongest];
    if (!strongest.reason.empty()) {
      const std::string id = book_.Add(fmt::format("context:anomalies[{}]", stats_.strongest), strongest.reason);
      votes_.Note({fmt::format("The strongest, at point {}: {}", strongest.index, Terminated(strongest.reason)), {id}});
    }
    if (stats_.Severe() * 2 >= stats_.count && stats_.count >= 3) {
      risks_.push_back(
          {fmt::format("{} of {} anomalies are high or critical.", stats_.Severe(), stats_.count), {count}});
    }
    return {};
  }

  void VoteBySeverity(const std::string& count) {
    const std::string score = book_.Add("stat:anomalies.max_score", fmt::format("{:.3f}", stats_.max_score));
    std::vector<std::string> parts;
    for (const auto& [severity, n] : stats_.by_severity) parts.push_back(fmt::format("{} {}", n, severity));
    std::string text =
        fmt::format("{}, highest score {:.2f}", Counted(stats_.count, "anomaly", "anomalies"), stats_.max_score);
    std::vector<std::string> evidence{count, score};
    if (!parts.empty()) {
      text += fmt::format(" ({})", JoinWords(parts));
      evidence.push_back(book_.Add("stat:anomalies.severity", JoinWords(parts)));
    }
    Statement statement{text + ".", std::move(evidence)};
    const auto many = [&](std::string_view severity) {
      const auto found = stats_.by_severity.find(std::string(severity));
      return found == stats_.by_severity.end() ? std::size_t{0} : found->second;
    };
    if (many("critical") > 0) {
      votes_.Add(Action::kEscalate, 2.0, std::move(statement));
    } else if (many("high") >= 2) {
      votes_.Add(Action::kEscalate, 1.0, std::move(statement));
    } else if (many("high") == 1 || (stats_.by_severity.empty() && stats_.max_score >= 0.9)) {
      votes_.Add(Action::kInvestigate, 1.0, std::move(statement));
    } else {
      votes_.Add(Action::kHold, 1.0, std::move(statement));
    }
  }

  void VoteByShape() {
    const std::string direction = stats_.above >= stats_.below ? "above" : "below";
    const std::string where = stats_.first_index == stats_.last_index
                                  ? fmt::format("at point {}", stats_.first_index)
                                  : fmt::format("at points {} to {}", stats_.first_index, stats_.last_index);
    const std::string shape =
        book_.Add("stat:anomalies.shape", fmt::format("{}: {} groups, largest {} {}", ToString(stats_.shape),
                                                      stats_.groups, stats_.largest_group, where));
    const std::string side = book_.Add("stat:anomalies.direction",
                                       fmt::format("{} above, {} below what was expected", stats_.above, stats_.below));
    switch (stats_.shape) {
      case Shape::kNone: return;
      case Shape::kSpike:
        votes_.Add(stats_.Severe() > 0 ? Action::kInvestigate : Action::kHold, 0.5,
                   {fmt::format("An isolated spike {} what was expected, {}.", direction, where), {shape, side}});
        return;
      case Shape::kBurst:
        votes_.Add(
            Action::kInvestigate, 1.0,
            {fmt::format("A burst of {} in changing directions, {}.", stats_.largest_group, where), {shape, side}});
        return;
      case Shape::kShift:
        votes_.Add(stats_.Severe() > 0 ? Action::kEscalate : Action::kInvestigate, 1.0,
                   {fmt::format("The level has shifted: {} in a row {} what was expected, {}.", stats_.largest_group,
                                direction, where),
                    {shape, side}});
        if (stats_.above > stats_.below && IsDemand()) {
          votes_.Add(Action::kScaleUp, 1.5,
                     {"What is measured is demand, and it stays higher.", {shape, demand_evidence_}});
        }
        if (stats_.last_index == stats_.last_of_all) {
          risks_.push_back({"The shift lasts up to the latest anomaly: it may still be going on.", {shape}});
        }
        return;
      case Shape::kRecurring:
        votes_.Add(Action::kInvestigate, 0.5,
                   {fmt::format(
                        "{} groups return about every {:.0f} points: a schedule or a season that the detector does not "
                        "know is likely.",
                        stats_.groups, stats_.period),
                    {shape}});
        return;
      case Shape::kScattered:
        votes_.Add(Action::kInvestigate, 0.5,
                   {fmt::format("{} separate groups without a rhythm.", stats_.groups), {shape}});
        return;
    }
  }

  /// Whether the texts of the context say that the series is a load that capacity has to follow.
  bool IsDemand() {
    for (const Leaf& leaf : Leaves(incident_, kMaxLeaves, {"anomalies", "series", "data"})) {
      if (!leaf.value->is_string()) continue;
      const std::string_view text = leaf.value->get_string();
      for (const std::string_view cue :
           {"demand", "traffic", "requests", "passengers", "load", "queue", "users", "orders"}) {
        if (!HasPhrase(text, cue)) continue;
        demand_evidence_ = book_.Add("context:" + leaf.path, text);
        return true;
      }
    }
    return false;
  }

  void LookAtErrorsAndFigures() {
    double attempts = -1;
    double max_attempts = -1;
    std::size_t errors = 0;
    for (const Leaf& leaf : Leaves(incident_, kMaxLeaves, {"anomalies", "series", "data"})) {
      if (IsErrorName(leaf.name) && !leaf.value->is_bool() && errors < kMaxErrors) {
        if (VoteByError(leaf)) ++errors;
      } else if (leaf.value->is_number()) {
        const double number = JsonToDouble(*leaf.value);
        if (leaf.name == "attempts") attempts = number;
        if (leaf.name == "max_attempts") max_attempts = number;
        VoteByFigure(leaf, number);
      }
    }
    if (attempts < 0 || max_attempts <= 0 || attempts < max_attempts) return;
    const std::string id = book_.Add("stat:attempts", fmt::format("{:.0f} of {:.0f} used", attempts, max_attempts));
    votes_.Add(Action::kEscalate, 2.0 + votes_.weight(Action::kRetry),
               {fmt::format("All {:.0f} attempts are used up: a retry is no longer open.", max_attempts), {id}});
    risks_.push_back({"The work is lost unless somebody acts.", {id}});
  }

  static bool IsErrorName(std::string_view name) {
    if (name.contains("rate") || name.contains("count")) return false;
    return name.contains("error") || name.contains("exception") || name == "message" || name == "code" ||
           name == "cause" || name == "status" || name == "symptom";
  }

  bool VoteByError(const Leaf& leaf) {
    const std::string text = Shorten(FlattenJson(*leaf.value), 160);
    const ErrorClass kind = ClassifyError(text);
    if (kind == ErrorClass::kUnknown && !leaf.name.contains("error") && !leaf.name.contains("exception")) return false;
    if (Trim(text).empty()) return false;
    const std::string id = book_.Add("context:" + leaf.path, text);
    switch (kind) {
      case ErrorClass::kTransient:
        votes_.Add(Action::kRetry, 1.5, {fmt::format("\"{}\" is a passing failure.", text), {id}});
        break;
      case ErrorClass::kCapacity:
        votes_.Add(Action::kScaleUp, 1.5, {fmt::format("\"{}\" speaks of a resource that is used up.", text), {id}});
        risks_.push_back({"Repeating the work adds to the load that made it fail.", {id}});
        break;
      case ErrorClass::kPermanent:
        votes_.Add(Action::kInvestigate, 1.5, {fmt::format("\"{}\" will fail the same way again.", text), {id}});
        break;
      case ErrorClass::kUnknown:
        votes_.Add(Action::kInvestigate, 0.5, {fmt::format("\"{}\" is of no known class.", text), {id}});
        break;
    }
    return true;
  }

  void VoteByFigure(const Leaf& leaf, double number) {
    const bool is_use = leaf.name.contains("cpu") || leaf.name.contains("memory") || leaf.name.contains("disk") ||
                        leaf.name.contains("utilization") || leaf.name.contains("usage") || leaf.name.contains("load");
    const double share =
        number > 1.5 && (leaf.name.contains("percent") || leaf.name.ends_with("pct")) ? number / 100 : number;
    if (is_use && share > 0.85 && share <= 1.0) {
      const std::string id = book_.Add("context:" + leaf.path, fmt::format("{}", number));
      votes_.Add(Action::kScaleUp, 1.0, {fmt::format("{} is at {:.0f} %.", leaf.path, share * 100), {id}});
      risks_.push_back({fmt::format("Little of {} is left.", leaf.path), {id}});
    } else if (leaf.name.contains("error_rate") && number > 0.2 && number <= 1.0) {
      const std::string id = book_.Add("context:" + leaf.path, fmt::format("{}", number));
      votes_.Add(Action::kInvestigate, 1.0,
                 {fmt::format("{:.0f} % of the calls fail ({}).", number * 100, leaf.path), {id}});
    }
  }

  void AddContradiction(const Votes::Verdict& verdict) {
    constexpr double kDivided = 0.6;
    if (verdict.share == 0 || verdict.share >= kDivided) return;
    risks_.push_back({fmt::format("The evidence is divided: {:.0f} % of its weight is for {}.", verdict.share * 100,
                                  EnumToString(verdict.action)),
                      votes_.EvidenceFor(verdict.action)});
  }

  [[nodiscard]] std::string Propose(Action action) const {
    const std::string where =
        stats_.count == 0 ? "" : fmt::format(" Start at points {} to {}.", stats_.first_index, stats_.last_index);
    switch (action) {
      case Action::kIgnore: return "Nothing to do.";
      case Action::kHold:
        if (votes_.findings().empty()) return "Wait: give anomalies, an error or figures to say more.";
        return stats_.count == 0 ? "Wait and watch."
                                 : fmt::format("Wait and watch what follows point {}.", stats_.last_of_all);
      case Action::kInvestigate: return "Find the cause before acting." + where;
      case Action::kRetry: return "Run the work again after a pause that grows with each attempt.";
      case Action::kScaleUp: return "Add capacity, then see whether the findings go away." + where;
      case Action::kEscalate: return "Escalate now." + where;
    }
    return {};
  }

  static std::string Terminated(std::string text) {
    if (!text.ends_with('.')) text += '.';
    return text;
  }

  const json::object& incident_;
  const Knowledge& knowledge_;
  EvidenceBook book_;
  Votes votes_;
  AnomalyStatistics stats_;
  std::string demand_evidence_;
  std::vector<Statement> risks_;
};

}  // namespace

Result<FailureAnalysis> AnalyzeFailure(const ReasoningRequest& request, const Knowledge& knowledge) {
  if (request.incident_context.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "required, but missing or empty", "incident_context");
  }
  return Analysis(request, knowledge).Run();
}

}  // namespace seedcore::cognitive::rules
