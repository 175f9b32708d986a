#include "cognitive/ranking.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace seedcore::cognitive {
namespace {

constexpr double kRankConstant = 60.0;
constexpr double kMmrRelevance = 0.7;
constexpr double kMinTrust = 0.3;
constexpr double kSameSubject = 0.5;

/// A fact taken apart for comparison with others.
struct Claim {
  WordSet subject;  // without numbers and negations
  WordSet numbers;
  bool negated = false;
};

Claim TakeApart(const std::string& text) {
  constexpr std::array<std::string_view, 8> kNegations{"not",    "no",  "never", "without",
                                                       "cannot", "isn", "doesn", "won"};
  Claim claim;
  for (const std::string& word : Words(text)) {
    if (std::ranges::find(kNegations, word) != kNegations.end()) claim.negated = !claim.negated;
  }
  for (const std::string& word : ContentWords(text)) {
    const bool number = word.find_first_not_of("0123456789") == std::string::npos;
    if (number) {
      claim.numbers.insert(word);
    } else if (std::ranges::find(kNegations, word) == kNegations.end()) {
      claim.subject.insert(word);
    }
  }
  return claim;
}

bool Contradict(const Claim& a, const Claim& b) {
  if (Jaccard(a.subject, b.subject) < kSameSubject) return false;
  return a.negated != b.negated || (!a.numbers.empty() && !b.numbers.empty() && a.numbers != b.numbers);
}

}  // namespace

std::map<std::string, double> FuseRanks(const std::vector<RankedList>& lists) {
  std::map<std::string, double> fused;
  for (const RankedList& list : lists) {
    for (std::size_t rank = 0; rank < list.ids.size(); ++rank) {
      fused[list.ids[rank]] += list.weight / (static_cast<double>(rank) + kRankConstant);
    }
  }
  return fused;
}

double Relevance(const WordSet& question, const WordSet& text) {
  constexpr std::size_t kEnoughWords = 6;
  if (question.empty()) return 0.0;
  const auto needed = static_cast<double>(std::min(question.size(), kEnoughWords));
  return std::min(1.0, static_cast<double>(SharedWords(question, text)) / needed);
}

std::vector<KnowledgeFact> SelectDiverse(std::vector<KnowledgeFact> facts, std::size_t k) {
  std::ranges::sort(facts,
                    [](const auto& a, const auto& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; });
  if (facts.size() <= k) return facts;

  std::vector<WordSet> words;
  words.reserve(facts.size());
  for (const KnowledgeFact& fact : facts) words.push_back(ContentWords(fact.text));
  std::vector<double> overlap(facts.size(), 0.0);  // with the nearest fact taken so far
  std::vector<bool> taken(facts.size(), false);
  std::vector<KnowledgeFact> selected;
  while (selected.size() < k) {
    std::size_t best = facts.size();
    double best_value = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < facts.size(); ++i) {
      const double value = kMmrRelevance * facts[i].score - (1 - kMmrRelevance) * overlap[i];
      if (!taken[i] && value > best_value) {
        best = i;
        best_value = value;
      }
    }
    taken[best] = true;
    selected.push_back(facts[best]);
    for (std::size_t i = 0; i < facts.size(); ++i) {
      if (!taken[i]) overlap[i] = std::max(overlap[i], Jaccard(words[i], words[best]));
    }
  }
  return selected;
}

int TokenBudget(TaskType type, Profile profile) {
  double factor = 1.0;
  switch (type) {
    case TaskType::kTaskPlanning: factor = 1.5; break;
    case TaskType::kMemorySynthesis: factor = 1.4; break;
    case TaskType::kProblemSolving: factor = 1.3; break;
    case TaskType::kFailureAnalysis: factor = 1.2; break;
    case TaskType::kCapabilityAssessment: factor = 1.1; break;
    case TaskType::kDecisionMaking: factor = 1.0; break;
  }
  if (profile == Profile::kDeep) factor *= 2;
  return std::max(500, static_cast<int>(1500 * factor));
}

int KeepWithinBudget(std::vector<KnowledgeFact>& facts, int budget) {
  std::erase_if(facts, [](const KnowledgeFact& fact) { return fact.trust <= kMinTrust; });
  int used = 0;
  std::size_t kept = 0;
  for (; kept < facts.size(); ++kept) {
    const int tokens = EstimateTokens(facts[kept].text);
    if (used + tokens > budget) break;
    used += tokens;
  }
  facts.resize(kept);
  return used;
}

void FindConflicts(std::vector<KnowledgeFact>& facts) {
  std::vector<Claim> claims;
  claims.reserve(facts.size());
  for (const KnowledgeFact& fact : facts) claims.push_back(TakeApart(fact.text));
  for (std::size_t i = 0; i < facts.size(); ++i) {
    for (std::size_t j = i + 1; j < facts.size(); ++j) {
      if (!Contradict(claims[i], claims[j])) continue;
      facts[i].conflict_set.push_back(facts[j].id);
      facts[j].conflict_set.push_back(facts[i].id);
    }
  }
}

Sufficiency MeasureSufficiency(const std::vector<KnowledgeFact>& facts) {
  Sufficiency measured;
  if (facts.empty()) return measured;
  const auto n = static_cast<double>(facts.size());
  std::vector<WordSet> words;
  for (const KnowledgeFact& fact : facts) {
    measured.coverage += fact.score > 0.5 ? 1 / n : 0;
    measured.staleness_ratio += fact.stale ? 1 / n : 0;
    measured.trust_score += fact.trust / n;
    measured.conflict_count += static_cast<int>(fact.conflict_set.size());
    words.push_back(ContentWords(fact.text));
  }
  double overlap = 0.0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::size_t j = i + 1; j < words.size(); ++j) overlap += Jaccard(words[i], words[j]);
  }
  const double pairs = n * (n - 1) / 2;
  measured.diversity = pairs == 0 ? 1.0 : 1.0 - overlap / pairs;
  measured.agreement = std::max(0.0, 1.0 - measured.conflict_count / n);
  return measured;
}

bool EscalateHint(TaskType type, const Sufficiency& sufficiency) {
  const int flags = (sufficiency.coverage < 0.6 ? 1 : 0) + (sufficiency.diversity < 0.5 ? 1 : 0) +
                    (sufficiency.conflict_count > 2 ? 1 : 0) + (sufficiency.staleness_ratio > 0.3 ? 1 : 0) +
                    (sufficiency.trust_score < 0.4 ? 1 : 0);
  const bool demanding =
      type == TaskType::kTaskPlanning || type == TaskType::kProblemSolving || type == TaskType::kMemorySynthesis;
  return flags >= (demanding ? 1 : 2);
}

}  // namespace seedcore::cognitive
