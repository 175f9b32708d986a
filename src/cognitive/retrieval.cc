#include "cognitive/retrieval.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cognitive/query.h"
#include "cognitive/ranking.h"
#include "cognitive/sanitize.h"

namespace seedcore::cognitive {
namespace {

constexpr double kDefaultTrust = 0.5;
/// A fact that says nothing itself about how long it holds is taken as fresh for a week.
constexpr std::chrono::seconds kFreshFor = std::chrono::days{7};
constexpr double kMinIncidentSalience = 0.3;
constexpr int kIncidentsLookedAt = 50;
constexpr std::size_t kIncidentsKept = 5;
constexpr double kMinIncidentSimilarity = 0.3;
constexpr std::size_t kMaxGivenFacts = 100;
constexpr std::size_t kSummaryFacts = 5;
constexpr std::size_t kSummaryBytes = 140;

double NumberOr(const json::object& object, std::string_view name, double fallback) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_number() ? JsonToDouble(*value) : fallback;
}

std::string StringOr(const json::object& object, std::string_view name, std::string_view fallback) {
  const json::value* value = object.if_contains(name);
  return std::string(value != nullptr && value->is_string() ? std::string_view(value->get_string()) : fallback);
}

bool IsStale(std::chrono::microseconds age, const json::object& meta) {
  const double fresh_for_s = NumberOr(meta, "valid_for_s", static_cast<double>(kFreshFor.count()));
  return static_cast<double>(age.count()) / 1e6 > fresh_for_s;
}

KnowledgeFact FromStore(const store::Fact& fact, double score, WallTime now) {
  return {.id = fact.id,
          .text = Sanitize(fact.text),
          .score = score,
          .source = StringOr(fact.meta_data, "source", "facts"),
          .trust = std::clamp(NumberOr(fact.meta_data, "trust", kDefaultTrust), 0.0, 1.0),
          .stale = IsStale(now - fact.updated_at, fact.meta_data),
          .instructions_present = InstructionsPresent(fact.text),
          .conflict_set = {}};
}

/// `knowledge_context.facts`: texts, or objects with `text` and what else is known.
Result<std::vector<KnowledgeFact>> GivenFacts(const json::object& context, const WordSet& question) {
  std::vector<KnowledgeFact> facts;
  const json::value* given = context.if_contains("facts");
  if (given == nullptr || given->is_null()) return facts;
  const std::string path = "knowledge_context.facts";
  if (!given->is_array())
    return Fail(ErrorCode::kInvalidArgument, "expected an array, got " + DescribeJson(*given), path);
  if (given->get_array().size() > kMaxGivenFacts) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} facts", kMaxGivenFacts), path);
  }
  for (std::size_t i = 0; i < given->get_array().size(); ++i) {
    const json::value& item = given->get_array()[i];
    const std::string id = fmt::format("given-{}", i);
    json::object object;
    if (item.is_string()) {
      object["text"] = item;
    } else if (item.is_object() && item.get_object().contains("text") && item.at("text").is_string()) {
      object = item.get_object();
    } else {
      return Fail(ErrorCode::kInvalidArgument, "expected a text or an object with `text`",
                  fmt::format("{}[{}]", path, i));
    }
    const std::string text = StringOr(object, "text", "");
    facts.push_back({.id = StringOr(object, "id", id),
                     .text = Sanitize(text),
                     .score = NumberOr(object, "score", Relevance(question, ContentWords(text))),
                     .source = StringOr(object, "source", "caller"),
                     .trust = std::clamp(NumberOr(object, "trust", kDefaultTrust), 0.0, 1.0),
                     .stale = NumberOr(object, "staleness_s", 0) > NumberOr(object, "valid_for_s", kFreshFor.count()),
                     .instructions_present = InstructionsPresent(text),
                     .conflict_set = {}});
  }
  return facts;
}

std::string Summarize(const std::vector<KnowledgeFact>& facts) {
  if (facts.empty()) return "No relevant facts are known.";
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(facts.size(), kSummaryFacts); ++i) {
    const KnowledgeFact& fact = facts[i];
    parts.push_back(
        fmt::format("{} (source {}, trust {:.2f})", Shorten(fact.text, kSummaryBytes), fact.source, fact.trust));
  }
  return "Key information includes: " + fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

Result<std::vector<KnowledgeFact>> Retriever::SearchFacts(const std::string& question, std::size_t limit,
                                                          const CallContext& call) const {
  const std::vector<std::string> searches = ExpandQuery(question);
  std::map<std::string, store::Fact> found;
  std::vector<RankedList> lists;
  for (const std::string& search : searches) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
    SEEDCORE_ASSIGN_OR_RETURN(auto facts, facts_.Search({.text = search, .tag = {}, .limit = static_cast<int>(limit)}));
    RankedList list{.ids = {}, .weight = kTextWeight};
    for (store::Fact& fact : facts) {
      list.ids.push_back(fact.id);
      std::string id = fact.id;
      found.try_emplace(std::move(id), std::move(fact));
    }
    lists.push_back(std::move(list));
  }
  const WordSet words = ContentWords(question);
  const WallTime now = env_.WallNow();
  std::vector<KnowledgeFact> facts;
  for (const auto& [id, bonus] : FuseRanks(lists)) {
    const store::Fact& fact = found.at(id);
    facts.push_back(FromStore(fact, Relevance(words, ContentWords(fact.text)) + bonus, now));
  }
  return facts;
}

Result<std::vector<RelatedIncident>> Retriever::SearchIncidents(const std::string& question) const {
  const WordSet words = ContentWords(question);
  std::vector<RelatedIncident> related;
  if (words.empty()) return related;
  SEEDCORE_ASSIGN_OR_RETURN(auto incidents, incidents_.Search(kMinIncidentSalience, kIncidentsLookedAt));
  for (store::Incident& incident : incidents) {
    std::string text = Sanitize(FlattenJson(incident.event_data, 2048));
    const double similarity = Relevance(words, ContentWords(text));
    if (similarity < kMinIncidentSimilarity) continue;
    related.push_back({.id = std::move(incident.incident_id),
                       .salience = incident.salience_score,
                       .similarity = similarity,
                       .text = std::move(text),
                       .event_data = std::move(incident.event_data)});
  }
  std::ranges::sort(related, [](const auto& a, const auto& b) {
    const double left = a.similarity * a.salience;
    const double right = b.similarity * b.salience;
    return left != right ? left > right : a.id < b.id;
  });
  if (related.size() > kIncidentsKept) related.resize(kIncidentsKept);
  return related;
}

Result<Knowledge> Retriever::Retrieve(TaskType type, const ReasoningRequest& request, const CallContext& call) const {
  const std::string question = QueryText(type, request);
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<KnowledgeFact> facts,
                            GivenFacts(request.knowledge_context, ContentWords(question)));
  const auto limit = static_cast<std::size_t>(limit_) * (request.profile == Profile::kDeep ? 2 : 1);
  Knowledge knowledge;
  if (limit > 0) {
    SEEDCORE_ASSIGN_OR_RETURN(auto found, SearchFacts(question, limit, call));
    for (KnowledgeFact& fact : found) {
      const bool given = std::ranges::any_of(facts, [&](const auto& other) { return other.id == fact.id; });
      if (!given) facts.push_back(std::move(fact));
    }
    SEEDCORE_ASSIGN_OR_RETURN(knowledge.incidents, SearchIncidents(question));
  }
  knowledge.facts = SelectDiverse(std::move(facts), std::max(limit, std::size_t{1}));
  const int budget = TokenBudget(type, request.profile);
  const int used = KeepWithinBudget(knowledge.facts, budget);
  FindConflicts(knowledge.facts);
  knowledge.sufficiency = MeasureSufficiency(knowledge.facts);
  knowledge.sufficiency.token_budget = budget;
  knowledge.sufficiency.token_est = used;
  knowledge.escalate_hint = EscalateHint(type, knowledge.sufficiency);
  knowledge.summary = Summarize(knowledge.facts);
  return knowledge;
}

}  // namespace seedcore::cognitive
