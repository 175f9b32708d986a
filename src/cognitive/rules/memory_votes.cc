#include "cognitive/rules/memory_votes.h"

#include <algorithm>

#include <fmt/format.h>

#include "cognitive/rules/cues.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr double kMinVoterRelevance = 0.3;
constexpr double kSalient = 0.7;
constexpr std::size_t kQuoted = 120;

/// What was done about an incident: its `action`, `decision` (or `decision.action`) or `resolution`.
std::optional<Action> RecordedAction(const json::object& event) {
  for (const char* name : {"action", "decision", "resolution"}) {
    const json::value* value = event.if_contains(name);
    if (value == nullptr) continue;
    if (const json::object* object = value->if_object()) {
      if (const auto inner = RecordedAction(*object)) return inner;
    }
    if (!value->is_string()) continue;
    const std::string_view text = value->get_string();
    if (const auto action = EnumFromString<Action>(text)) return action;
    if (const auto action = ActionInText(text)) return action;
  }
  return std::nullopt;
}

void VoteFromFact(const KnowledgeFact& fact, EvidenceBook& book, Votes& votes) {
  const double relevance = std::min(fact.score, 1.0);
  if (relevance < kMinVoterRelevance) return;
  const auto cause = ExpectedCause(fact.text);
  const auto action = ActionInText(fact.text);
  if (!cause && !action) return;
  const double weight = fact.trust * relevance * (fact.conflict_set.empty() ? 1.0 : 0.5);
  if (weight <= 0) return;
  std::vector<std::string> evidence{book.Add("fact:" + fact.id, fact.text)};
  const std::string quote = Shorten(fact.text, kQuoted);
  const std::string doubt = fact.conflict_set.empty() ? "" : ", though another fact contradicts it";
  if (cause) {
    votes.Add(Action::kHold, 1.5 * weight,
              {fmt::format("A known fact may explain it ({}): \"{}\"{}.", *cause, quote, doubt), std::move(evidence)});
  } else {
    votes.Add(
        *action, weight,
        {fmt::format("A known fact suggests {}: \"{}\"{}.", EnumToString(*action), quote, doubt), std::move(evidence)});
  }
}

void VoteFromIncident(const RelatedIncident& incident, EvidenceBook& book, Votes& votes) {
  const double weight = incident.salience * incident.similarity;
  if (weight <= 0) return;
  const auto action = RecordedAction(incident.event_data);
  if (!action && incident.salience < kSalient) return;
  const std::string id = book.Add("incident:" + incident.id, incident.text);
  const std::string likeness =
      fmt::format("A similar incident (salience {:.2f}, similarity {:.2f})", incident.salience, incident.similarity);
  if (action) {
    votes.Add(*action, 2 * weight, {fmt::format("{} was answered with {}.", likeness, EnumToString(*action)), {id}});
  } else {
    votes.Add(Action::kInvestigate, weight, {likeness + " is on record.", {id}});
  }
}

}  // namespace

void VoteFromMemory(const Knowledge& knowledge, EvidenceBook& book, Votes& votes) {
  for (const KnowledgeFact& fact : knowledge.facts) VoteFromFact(fact, book, votes);
  for (const RelatedIncident& incident : knowledge.incidents) VoteFromIncident(incident, book, votes);
}

}  // namespace seedcore::cognitive::rules
