// Memory synthesis: extractive. Fragments that share words form clusters; the sentences that carry most of what is
// shared are the insight, as they were written.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "base/strings.h"
#include "cognitive/rules/cues.h"
#include "cognitive/rules/evidence.h"
#include "cognitive/rules/rules.h"
#include "cognitive/sanitize.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr std::size_t kMaxFragments = 500;
constexpr std::size_t kMaxFragmentBytes = 4096;
constexpr double kSameCluster = 0.25;  // Jaccard overlap
constexpr std::size_t kMaxSentences = 5;
constexpr std::size_t kMaxPatterns = 10;
constexpr std::size_t kMaxSentencesRead = 5000;

struct Fragment {
  std::string id;
  std::string text;
  WordSet words;
};

struct Candidate {
  std::string text;
  WordSet words;
  std::size_t fragment = 0;
  double score = 0.0;
};

/// Union-find over fragments.
class Clusters {
 public:
  explicit Clusters(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
  std::size_t Root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void Join(std::size_t a, std::size_t b) { parent_[std::max(Root(a), Root(b))] = std::min(Root(a), Root(b)); }

 private:
  std::vector<std::size_t> parent_;
};

class Synthesizer {
 public:
  Synthesizer(const ReasoningRequest& request, const Knowledge& knowledge, const Alive& alive)
      : request_(request), knowledge_(knowledge), alive_(alive) {}

  Result<Synthesis> Run() {
    SEEDCORE_RETURN_IF_ERROR(Read());
    SEEDCORE_RETURN_IF_ERROR(Cluster());
    CountWords();
    FindPatterns();
    SEEDCORE_RETURN_IF_ERROR(Extract());
    Conclude();
    return std::move(synthesis_);
  }

 private:
  Result<void> Read() {
    const auto& given = request_.memory_fragments;
    if (given.empty() || given.size() > kMaxFragments) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} fragments", kMaxFragments),
                  "memory_fragments");
    }
    for (std::size_t i = 0; i < given.size(); ++i) {
      std::string text = Sanitize(FlattenJson(given[i], kMaxFragmentBytes));
      std::string id = book_.Add(fmt::format("context:memory_fragments[{}]", i), text);
      WordSet words = ContentWords(text);
      fragments_.push_back({std::move(id), std::move(text), std::move(words)});
    }
    return {};
  }

  Result<void> Cluster() {
    Clusters clusters(fragments_.size());
    for (std::size_t i = 0; i < fragments_.size(); ++i) {
      SEEDCORE_RETURN_IF_ERROR(alive_());
      for (std::size_t j = i + 1; j < fragments_.size(); ++j) {
        if (Jaccard(fragments_[i].words, fragments_[j].words) >= kSameCluster) clusters.Join(i, j);
      }
    }
    for (std::size_t i = 0; i < fragments_.size(); ++i) members_[clusters.Root(i)].push_back(i);
    return {};
  }

  void CountWords() {
    for (std::size_t i = 0; i < fragments_.size(); ++i) {
      for (const std::string& word : fragments_[i].words) in_fragments_[word].push_back(i);
    }
  }

  [[nodiscard]] std::vector<std::string> Ids(const std::vector<std::size_t>& fragments) const {
    std::vector<std::string> ids;
    for (const std::size_t i : fragments) ids.push_back(fragments_[i].id);
    return ids;
  }

  /// Values that stand under the same name in several objects, and words that several fragments share.
  void FindPatterns() {
    std::map<std::string, std::vector<std::size_t>> pairs;
    for (std::size_t i = 0; i < fragments_.size(); ++i) {
      const json::object* object = request_.memory_fragments[i].if_object();
      if (object == nullptr) continue;
      std::set<std::string> seen;
      for (const Leaf& leaf : Leaves(*object, 100)) {
        const std::string pair = fmt::format("{} = {}", leaf.name, Shorten(FlattenJson(*leaf.value), 80));
        if (seen.insert(pair).second) pairs[pair].push_back(i);
      }
    }
    std::vector<Pattern> patterns;
    const auto add = [&](const std::string& text, const std::vector<std::size_t>& fragments) {
      if (fragments.size() < 2) return;
      patterns.push_back({text, static_cast<int>(fragments.size()), Ids(fragments)});
    };
    for (const auto& [pair, fragments] : pairs) add(pair, fragments);
    for (const auto& [word, fragments] : in_fragments_) add(word, fragments);
    std::ranges::sort(patterns, [](const Pattern& a, const Pattern& b) {
      if (a.count != b.count) return a.count > b.count;
      return a.pattern.size() != b.pattern.size() ? a.pattern.size() > b.pattern.size() : a.pattern < b.pattern;
    });
    if (patterns.size() > kMaxPatterns) patterns.resize(kMaxPatterns);
    synthesis_.related_patterns = std::move(patterns);
  }

  /// Mean over its words of how many fragments share them, plus what it has in common with the goal and with known
  /// facts.
  [[nodiscard]] double Score(const WordSet& words, const WordSet& goal) const {
    double shared = 0.0;
    for (const std::string& word : words) {
      shared += static_cast<double>(in_fragments_.find(word)->second.size());
    }
    const double centrality =
        shared / (std::sqrt(static_cast<double>(words.size())) * static_cast<double>(fragments_.size()));
    double known = 0.0;
    for (const KnowledgeFact& fact : knowledge_.facts) known = std::max(known, Jaccard(words, ContentWords(fact.text)));
    return centrality + Jaccard(words, goal) + 0.5 * known;
  }

  /// One sentence from each cluster, largest cluster first, then the best of the rest that say something new.
  Result<void> Extract() {
    const WordSet goal = ContentWords(request_.synthesis_goal);
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < fragments_.size(); ++i) {
      SEEDCORE_RETURN_IF_ERROR(alive_());
      for (std::string& sentence : Sentences(fragments_[i].text)) {
        WordSet words = ContentWords(sentence);
        if (words.empty() || candidates.size() == kMaxSentencesRead) continue;
        const double score = Score(words, goal);
        candidates.push_back({std::move(sentence), std::move(words), i, score});
      }
    }
    std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
      if (a.score != b.score) return a.score > b.score;
      return a.fragment != b.fragment ? a.fragment < b.fragment : a.text < b.text;
    });

    std::vector<std::vector<std::size_t>> clusters;
    for (const auto& [root, members] : members_) clusters.push_back(members);
    std::ranges::sort(clusters, [](const auto& a, const auto& b) {
      return a.size() != b.size() ? a.size() > b.size() : a.front() < b.front();
    });
    for (const auto& members : clusters) {
      if (chosen_.size() == kMaxSentences) break;
      for (const Candidate& candidate : candidates) {
        if (std::ranges::find(members, candidate.fragment) == members.end() || !SaysNew(candidate)) continue;
        chosen_.push_back(candidate);
        synthesis_.findings.push_back({candidate.text, Ids(Support(candidate, members))});
        break;
      }
    }
    return {};
  }

  [[nodiscard]] bool SaysNew(const Candidate& candidate) const {
    constexpr double kSame = 0.6;
    return std::ranges::none_of(chosen_,
                                [&](const Candidate& other) { return Jaccard(candidate.words, other.words) >= kSame; });
  }

  /// The fragment itself and those of its cluster that share at least half of the sentence's words.
  [[nodiscard]] std::vector<std::size_t> Support(const Candidate& candidate,
                                                 const std::vector<std::size_t>& members) const {
    std::vector<std::size_t> support{candidate.fragment};
    for (const std::size_t i : members) {
      const std::size_t shared = SharedWords(candidate.words, fragments_[i].words);
      if (i != candidate.fragment && shared * 2 >= candidate.words.size()) support.push_back(i);
    }
    return support;
  }

  /// Fragments in clusters of at least two agree with another one; lone ones stand for themselves.
  void Conclude() {
    double together = 0;
    for (const auto& [root, members] : members_)
      together += members.size() > 1 ? static_cast<double>(members.size()) : 0.0;
    synthesis_.confidence_level = Confidence(together, static_cast<double>(fragments_.size()));
    synthesis_.synthesized_insight = Paragraph(synthesis_.findings);
    synthesis_.evidence = std::move(book_).Take();
  }

  const ReasoningRequest& request_;
  const Knowledge& knowledge_;
  const Alive& alive_;
  EvidenceBook book_;
  Synthesis synthesis_;
  std::vector<Fragment> fragments_;
  std::map<std::size_t, std::vector<std::size_t>> members_;  // of each cluster, by its first fragment
  std::map<std::string, std::vector<std::size_t>, std::less<>> in_fragments_;
  std::vector<Candidate> chosen_;
};

}  // namespace

Result<Synthesis> SynthesizeMemory(const ReasoningRequest& request, const Knowledge& knowledge, const Alive& alive) {
  return Synthesizer(request, knowledge, alive).Run();
}

}  // namespace seedcore::cognitive::rules
