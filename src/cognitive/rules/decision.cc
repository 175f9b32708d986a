// Decisions: options weighed by expected utility, or an action for a finding by Bayes' rule on the costs of being
// wrong.
#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "cognitive/rules/cues.h"
#include "cognitive/rules/evidence.h"
#include "cognitive/rules/memory_votes.h"
#include "cognitive/rules/rules.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr std::size_t kMaxOptions = 100;
constexpr std::size_t kMaxHistory = 10'000;
/// Confidence from which a finding is acted on when the costs of acting wrongly and of not acting are not given.
constexpr double kActFrom = 0.4;

std::optional<double> Number(const json::object& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const json::value* value = object.if_contains(name);
    if (value != nullptr && value->is_number()) return JsonToDouble(*value);
  }
  return std::nullopt;
}

std::string Text(const json::object& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const json::value* value = object.if_contains(name);
    if (value != nullptr && value->is_string()) return std::string(value->get_string());
  }
  return {};
}

struct Outcomes {
  double successes = 0;
  double tries = 0;
  std::string evidence_path;
};

/// Earlier outcomes by option: {"retry": {"successes": 3, "failures": 1}} or {"any list": [{"option", "success"}]}.
std::map<std::string, Outcomes> ReadHistory(const json::object& history) {
  std::map<std::string, Outcomes> outcomes;
  std::size_t read = 0;
  for (const auto& member : history) {
    const std::string name = member.key();
    if (const json::object* counts = member.value().if_object()) {
      const double successes = Number(*counts, {"successes", "success_count"}).value_or(0);
      const double failures = Number(*counts, {"failures", "failure_count"}).value_or(0);
      if (successes < 0 || failures < 0 || successes + failures == 0) continue;
      outcomes[name] = {successes, successes + failures, "historical_data." + name};
    }
    const json::array* list = member.value().if_array();
    if (list == nullptr) continue;
    for (const json::value& item : *list) {
      if (!item.is_object() || ++read > kMaxHistory) continue;
      const std::string option = Text(item.get_object(), {"option", "action", "decision"});
      const json::value* success = item.get_object().if_contains("success");
      if (option.empty() || success == nullptr || !success->is_bool()) continue;
      Outcomes& entry = outcomes[option];
      entry.tries += 1;
      entry.successes += success->get_bool() ? 1 : 0;
      entry.evidence_path = "historical_data." + name;
    }
  }
  return outcomes;
}

struct Option {
  ScoredOption scored;
  std::size_t index = 0;  ///< as given; the earlier wins a tie
  double known = 0;       ///< pieces of evidence behind the score
  bool affordable = true;
};

class OptionChoice {
 public:
  OptionChoice(const ReasoningRequest& request, const json::array& options)
      : context_(request.decision_context), options_(options), history_(ReadHistory(request.historical_data)) {}

  Result<ReasonedDecision> Choose() {
    if (options_.empty() || options_.size() > kMaxOptions) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} options", kMaxOptions),
                  "decision_context.options");
    }
    std::vector<Option> scored;
    for (std::size_t i = 0; i < options_.size(); ++i) {
      SEEDCORE_ASSIGN_OR_RETURN(Option option, Score(options_[i], i));
      scored.push_back(std::move(option));
    }
    std::ranges::sort(scored, [](const Option& a, const Option& b) {
      if (a.affordable != b.affordable) return a.affordable;
      return a.scored.score != b.scored.score ? a.scored.score > b.scored.score : a.index < b.index;
    });
    return Conclude(std::move(scored));
  }

 private:
  /// Expected utility: p x (1 - risk) x benefit - cost. p from history by Laplace's rule (successes + 1) / (tries + 2),
  /// else `probability`, else 0.5; benefit 1 and cost 0 when not given.
  Result<Option> Score(const json::value& value, std::size_t index) {
    const std::string path = fmt::format("decision_context.options[{}]", index);
    Option option;
    option.index = index;
    if (value.is_string()) {
      option.scored.option = std::string(value.get_string());
    } else if (value.is_object()) {
      option.scored.option = Text(value.get_object(), {"option", "name", "action", "id"});
    }
    if (option.scored.option.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "expected a name, or an object with `option`", path);
    }
    const json::object fields = value.is_object() ? value.get_object() : json::object{};
    const std::string id_prefix = "context:" + path.substr(std::string_view("decision_context.").size());
    const auto note = [&](std::string text, std::string id, double number) {
      option.scored.reasons.push_back({std::move(text), {book_.Add(std::move(id), fmt::format("{}", number))}});
    };

    double probability = 0.5;
    const auto given_probability = Number(fields, {"probability", "success_probability", "p_success"});
    if (const auto past = history_.find(option.scored.option); past != history_.end()) {
      probability = (past->second.successes + 1) / (past->second.tries + 2);
      option.known += past->second.tries;
      note(fmt::format("Worked {:.0f} of {:.0f} times: p = {:.2f}.", past->second.successes, past->second.tries,
                       probability),
           "context:" + past->second.evidence_path, probability);
    } else if (given_probability) {
      probability = std::clamp(*given_probability, 0.0, 1.0);
      option.known += 1;
      note(fmt::format("p = {:.2f}.", probability), id_prefix + ".probability", probability);
    }
    const auto benefit = Number(fields, {"benefit", "value", "utility", "gain"});
    if (benefit) {
      option.known += 1;
      note(fmt::format("Benefit {:.4g}.", *benefit), id_prefix + ".benefit", *benefit);
    }
    const auto cost = Number(fields, {"cost", "price"});
    if (cost) {
      option.known += 1;
      note(fmt::format("Cost {:.4g}.", *cost), id_prefix + ".cost", *cost);
    }
    const auto risk = Number(fields, {"risk"});
    if (risk) {
      option.known += 1;
      note(fmt::format("Risk {:.2f}.", *risk), id_prefix + ".risk", *risk);
    }
    const auto budget = Number(context_, {"budget", "max_cost"});
    if (budget && cost && *cost > *budget) {
      option.affordable = false;
      note(fmt::format("Costs more than the budget of {:.4g}.", *budget), "context:budget", *budget);
    }
    const double keep = 1 - std::clamp(risk.value_or(0), 0.0, 1.0);
    option.scored.score = Round3(Finite(probability * keep * benefit.value_or(1) - cost.value_or(0)));
    return option;
  }

  Result<ReasonedDecision> Conclude(std::vector<Option> scored) {
    ReasonedDecision decision;
    const Option& best = scored.front();
    decision.decision = best.affordable ? best.scored.option : std::string("hold");
    if (const auto action = EnumFromString<Action>(decision.decision)) decision.action = *action;
    double known = 0;
    for (const Option& option : scored) known += option.known;
    decision.findings =
        best.affordable
            ? best.scored.reasons
            : std::vector<Statement>{{"No option is within the budget.", {book_.Add("context:budget", "")}}};
    std::string head =
        fmt::format("\"{}\" has the highest expected utility, {:.4g}", best.scored.option, best.scored.score);
    double agreement = 1.0;
    const bool contested = scored.size() > 1 && scored[1].affordable;
    if (contested) {
      const double gap = Finite(best.scored.score - scored[1].scored.score);
      const double size = Finite(std::abs(best.scored.score) + std::abs(scored[1].scored.score));
      agreement = 0.5 + (size == 0 ? 0.0 : 0.5 * std::min(1.0, gap / size));
      head += fmt::format(", before \"{}\" with {:.4g}", scored[1].scored.option, scored[1].scored.score);
    }
    decision.reasoning = best.affordable ? head + ". " + Paragraph(best.scored.reasons) : Paragraph(decision.findings);
    decision.confidence = Confidence(known * agreement, known);
    for (std::size_t i = best.affordable ? 1 : 0; i < scored.size(); ++i) {
      decision.alternative_options.push_back(std::move(scored[i].scored));
    }
    decision.evidence = std::move(book_).Take();
    return decision;
  }

  const json::object& context_;
  const json::array& options_;
  std::map<std::string, Outcomes> history_;
  EvidenceBook book_;
};

/// The analysis inside `decision_context.reason`, which may be the answer of /reason-about-failure as it came, or its
/// inner objects.
const json::object* FindAnalysis(const json::value& value, int depth = 0) {
  const json::object* object = value.if_object();
  if (object == nullptr || depth > 4) return nullptr;
  if (object->contains("thought") || object->contains("proposed_solution") || object->contains("action")) return object;
  for (const char* name : {"result", "payload", "reason"}) {
    if (const json::value* inner = object->if_contains(name)) {
      if (const json::object* found = FindAnalysis(*inner, depth + 1)) return found;
    }
  }
  return nullptr;
}

/// One step less drastic: what to do when an action is not supported well enough.
Action StepDown(Action action) {
  switch (action) {
    case Action::kEscalate:
    case Action::kScaleUp: return Action::kInvestigate;
    case Action::kRetry:
    case Action::kInvestigate: return Action::kHold;
    case Action::kHold:
    case Action::kIgnore: return action;
  }
  return action;
}

class FindingChoice {
 public:
  FindingChoice(const ReasoningRequest& request, const Knowledge& knowledge)
      : context_(request.decision_context), knowledge_(knowledge) {}

  Result<ReasonedDecision> Choose() {
    LookAtCount();
    LookAtReason();
    VoteFromMemory(knowledge_, book_, votes_);
    const double threshold = Threshold();
    const Votes::Verdict verdict = votes_.Decide();

    ReasonedDecision decision;
    decision.action = verdict.action;
    decision.confidence = verdict.confidence;
    std::string reasoning = Paragraph(votes_.findings());
    if (reasoning.empty()) reasoning = "Nothing in the decision context can be weighed.";
    // The analysis has weighed the evidence already; what counts against the threshold is the better known of the two.
    const double support = std::max(verdict.confidence, verdict.action == reason_action_ ? reason_confidence_ : 0.0);
    const bool drastic = verdict.action != Action::kHold && verdict.action != Action::kIgnore;
    if (drastic && support < threshold) {
      decision.action = StepDown(verdict.action);
      reasoning += fmt::format(" The support for {}, {:.2f}, is below {:.2f}, so {} comes first.",
                               EnumToString(verdict.action), support, threshold, EnumToString(decision.action));
    }
    if (verdict.action == reason_action_) decision.confidence = std::max(decision.confidence, reason_confidence_);
    decision.decision = EnumToString(decision.action);
    decision.reasoning = std::move(reasoning);
    decision.findings = votes_.findings();
    AddAlternatives(decision);
    decision.evidence = std::move(book_).Take();
    return decision;
  }

 private:
  void LookAtCount() {
    const auto count = Number(context_, {"anomaly_count"});
    if (!count) return;
    const std::string id = book_.Add("context:anomaly_count", fmt::format("{}", *count));
    if (*count <= 0) {
      votes_.Add(Action::kIgnore, 2.0, {"No anomaly was found.", {id}});
    } else {
      // Grows slowly: the tenth anomaly says less than the first.
      votes_.Add(Action::kInvestigate, 0.25 * std::log2(1 + *count),
                 {fmt::format("{:.0f} anomalies were found.", *count), {id}});
    }
  }

  void LookAtReason() {
    const json::value* reason = context_.if_contains("reason");
    if (reason == nullptr) reason = context_.if_contains("analysis");
    if (reason == nullptr) return;
    const json::object* analysis = FindAnalysis(*reason);
    const std::string solution =
        analysis != nullptr ? Text(*analysis, {"proposed_solution"}) : FlattenJson(*reason, 1000);
    std::optional<Action> action;
    if (analysis != nullptr) action = EnumFromString<Action>(Text(*analysis, {"action", "decision"}));
    if (!action) action = ActionInText(solution);
    if (!action && analysis != nullptr) action = ActionInText(Text(*analysis, {"thought"}));
    if (!action) return;
    reason_action_ = action;
    const auto confidence = analysis != nullptr ? Number(*analysis, {"confidence_score", "confidence"}) : std::nullopt;
    reason_confidence_ = std::clamp(confidence.value_or(0.0), 0.0, 1.0);
    const std::string id =
        book_.Add("context:reason", solution.empty() ? std::string(EnumToString(*action)) : solution);
    votes_.Add(
        *action, 0.5 + 3 * reason_confidence_,
        {confidence ? fmt::format("The analysis recommends {} with confidence {:.2f}.", EnumToString(*action),
                                  reason_confidence_)
                    : fmt::format("The analysis recommends {}, without saying how sure it is.", EnumToString(*action)),
         {id}});
  }

  /// Acting is right when p x cost of missing > (1 - p) x cost of a false alarm, that is from p = fa / (fa + miss) on.
  double Threshold() {
    const json::value* costs = context_.if_contains("costs");
    if (costs == nullptr || !costs->is_object()) return kActFrom;
    const auto false_alarm = Number(costs->get_object(), {"false_alarm"});
    const auto missed = Number(costs->get_object(), {"missed_incident", "missed"});
    if (!false_alarm || !missed || *false_alarm < 0 || *missed < 0 || *false_alarm + *missed == 0) return kActFrom;
    const double threshold = *false_alarm / (*false_alarm + *missed);
    votes_.Note({fmt::format("With these costs, acting pays from a confidence of {:.2f} on.", threshold),
                 {book_.Add("context:costs", fmt::format("false alarm {}, missed {}", *false_alarm, *missed))}});
    return threshold;
  }

  void AddAlternatives(ReasonedDecision& decision) const {
    for (const auto& [action, name] : EnumNames(Action{})) {
      const double weight = votes_.weight(action);
      if (weight == 0 || action == decision.action) continue;
      decision.alternative_options.push_back(
          {std::string(name),
           Round3(weight),
           {{fmt::format("Weight of its evidence: {:.2f}.", weight), votes_.EvidenceFor(action)}}});
    }
    std::ranges::sort(decision.alternative_options, [](const ScoredOption& a, const ScoredOption& b) {
      return a.score != b.score ? a.score > b.score : a.option < b.option;
    });
  }

  const json::object& context_;
  const Knowledge& knowledge_;
  EvidenceBook book_;
  Votes votes_;
  std::optional<Action> reason_action_;
  double reason_confidence_ = 0.0;
};

}  // namespace

Result<ReasonedDecision> MakeDecision(const ReasoningRequest& request, const Knowledge& knowledge) {
  if (request.decision_context.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "required, but missing or empty", "decision_context");
  }
  if (const json::value* options = request.decision_context.if_contains("options")) {
    if (!options->is_array()) {
      return Fail(ErrorCode::kInvalidArgument, "expected an array, got " + DescribeJson(*options),
                  "decision_context.options");
    }
    return OptionChoice(request, options->get_array()).Choose();
  }
  return FindingChoice(request, knowledge).Choose();
}

}  // namespace seedcore::cognitive::rules
