#pragma once

#include <map>
#include <string>
#include <vector>

#include "cognitive/knowledge.h"
#include "cognitive/text.h"

/// Ranking of retrieved facts (P§5.4). Pure.
namespace seedcore::cognitive {

/// Weights of the two kinds of search in the fusion.
inline constexpr double kTextWeight = 0.6;
inline constexpr double kVectorWeight = 0.4;

/// Result ids of one search, best first, and how much it counts.
struct RankedList {
  std::vector<std::string> ids;
  double weight = kTextWeight;
};

/// Weighted reciprocal rank fusion (Cormack 2009): the sum of weight / (rank + 60) over the lists, rank from 0.
[[nodiscard]] std::map<std::string, double> FuseRanks(const std::vector<RankedList>& lists);

/// How much of the question a text covers: shared content words / min(words of the question, 6), at most 1. The cap
/// keeps a long question from making every short fact look irrelevant.
[[nodiscard]] double Relevance(const WordSet& question, const WordSet& text);

/// Maximal marginal relevance (Carbonell 1998), λ = 0.7: takes `k` facts, each time the one with the largest
/// 0.7 score - 0.3 max overlap with those taken. Fewer than k facts are only sorted.
[[nodiscard]] std::vector<KnowledgeFact> SelectDiverse(std::vector<KnowledgeFact> facts, std::size_t k);

/// Tokens that facts may take: max(500, 1500 times a factor by kind of reasoning), doubled for the deep profile.
[[nodiscard]] int TokenBudget(TaskType type, Profile profile);

/// Facts in order, trust above 0.3, up to the first that does not fit the budget. Returns the tokens used.
int KeepWithinBudget(std::vector<KnowledgeFact>& facts, int budget);

/// Fills conflict_set of pairs that speak of the same thing (word overlap of at least 0.5 without numbers and
/// negations) but differ in a number, or of which one is negated.
void FindConflicts(std::vector<KnowledgeFact>& facts);

/// P§5.4 no. 8; token figures are the caller's.
[[nodiscard]] Sufficiency MeasureSufficiency(const std::vector<KnowledgeFact>& facts);

/// Whether the facts are too thin: two of coverage < 0.6, diversity < 0.5, conflicts > 2, staleness > 0.3, trust < 0.4;
/// one is enough for planning, problem solving and synthesis.
[[nodiscard]] bool EscalateHint(TaskType type, const Sufficiency& sufficiency);

}  // namespace seedcore::cognitive
