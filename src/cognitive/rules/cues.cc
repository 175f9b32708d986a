#include "cognitive/rules/cues.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

struct ActionCue {
  std::string_view phrase;
  Action action;
};
constexpr auto kActionCues = std::to_array<ActionCue>({{"escalate", Action::kEscalate},
                                                       {"page the on call", Action::kEscalate},
                                                       {"retry", Action::kRetry},
                                                       {"retried", Action::kRetry},
                                                       {"try again", Action::kRetry},
                                                       {"scale up", Action::kScaleUp},
                                                       {"scaled up", Action::kScaleUp},
                                                       {"scale out", Action::kScaleUp},
                                                       {"add capacity", Action::kScaleUp},
                                                       {"more replicas", Action::kScaleUp},
                                                       {"investigate", Action::kInvestigate},
                                                       {"root cause", Action::kInvestigate},
                                                       {"ignore", Action::kIgnore},
                                                       {"false alarm", Action::kIgnore},
                                                       {"false positive", Action::kIgnore},
                                                       {"no action", Action::kIgnore},
                                                       {"hold", Action::kHold},
                                                       {"keep watching", Action::kHold},
                                                       {"monitor", Action::kHold}});

constexpr auto kCapacityCues = std::to_array<std::string_view>(
    {"out of memory", "oom", "no space", "disk full", "resource exhausted", "quota", "overloaded", "overload",
     "too many", "queue full", "queue is full", "backpressure"});
constexpr auto kPermanentCues = std::to_array<std::string_view>(
    {"invalid", "malformed", "syntax", "parse", "denied", "unauthorized", "unauthenticated", "forbidden", "not found",
     "unsupported", "schema", "non retryable", "unknown task type", "400", "401", "403", "404", "405", "422"});
constexpr auto kTransientCues =
    std::to_array<std::string_view>({"timeout", "timed out", "deadline exceeded", "unavailable", "connection refused",
                                     "connection reset", "reset by peer", "temporarily", "temporary", "rate limit",
                                     "throttled", "busy", "lease lost", "429", "502", "503", "504"});

constexpr auto kExpectedCauses = std::to_array<std::string_view>(
    {"holiday",      "maintenance", "planned",  "scheduled",    "marathon",        "festival",    "parade",
     "thanksgiving", "christmas",   "new year", "black friday", "load test",       "migration",   "deployment",
     "rollout",      "storm",       "blizzard", "strike",       "daylight saving", "known issue", "expected"});

/// Position of the phrase among the words, or npos.
std::size_t FindPhrase(const std::vector<std::string>& words, std::string_view phrase) {
  const std::vector<std::string> wanted = SplitList(phrase, ' ');
  const auto found = std::ranges::search(words, wanted);
  return found.empty() ? std::string::npos : static_cast<std::size_t>(found.begin() - words.begin());
}

/// Whether one of the two words before `at` turns it around.
bool Negated(const std::vector<std::string>& words, std::size_t at) {
  constexpr std::array<std::string_view, 7> kNegations{"not", "never", "no", "don", "without", "cannot", "avoid"};
  const std::size_t from = at < 2 ? 0 : at - 2;
  for (std::size_t i = from; i < at; ++i) {
    if (std::ranges::find(kNegations, words[i]) != kNegations.end()) return true;
  }
  return false;
}

class LeafWalk {
 public:
  LeafWalk(std::size_t limit, const std::vector<std::string_view>& skip) : limit_(limit), skip_(skip) {}

  void Walk(const json::value& value, const std::string& path, std::string_view name) {
    if (leaves.size() >= limit_ || value.is_null()) return;
    if (const json::object* object = value.if_object()) {
      for (const auto& member : *object) {
        const std::string_view key = member.key();
        if (std::ranges::find(skip_, key) != skip_.end()) continue;
        Walk(member.value(), path.empty() ? std::string(key) : fmt::format("{}.{}", path, key), key);
      }
    } else if (const json::array* array = value.if_array()) {
      for (std::size_t i = 0; i < array->size() && leaves.size() < limit_; ++i) {
        Walk((*array)[i], fmt::format("{}[{}]", path, i), name);
      }
    } else {
      leaves.push_back({path, ToLower(name), &value});
    }
  }

  std::vector<Leaf> leaves;

 private:
  std::size_t limit_;
  const std::vector<std::string_view>& skip_;
};

template <class Cues>
std::optional<std::string_view> FirstCue(const std::vector<std::string>& words, const Cues& cues) {
  for (const std::string_view cue : cues) {
    const std::size_t at = FindPhrase(words, cue);
    if (at != std::string::npos && !Negated(words, at)) return cue;
  }
  return std::nullopt;
}

std::optional<Action> ActionInClause(const std::vector<std::string>& words) {
  std::size_t first = std::string::npos;
  std::optional<Action> action;
  for (const ActionCue& cue : kActionCues) {
    const std::size_t at = FindPhrase(words, cue.phrase);
    if (at >= first || Negated(words, at)) continue;
    first = at;
    action = cue.action;
  }
  return action;
}

}  // namespace

bool HasPhrase(std::string_view text, std::string_view phrase) {
  return FindPhrase(Words(text), phrase) != std::string::npos;
}

std::optional<Action> ActionInText(std::string_view text) {
  // Clause by clause, because "do not retry, escalate" negates only the first.
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(".,;:!?\n"), text.size());
    if (const auto action = ActionInClause(Words(text.substr(0, end)))) return action;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

ErrorClass ClassifyError(std::string_view text) {
  const std::vector<std::string> words = Words(text);
  if (FirstCue(words, kCapacityCues)) return ErrorClass::kCapacity;
  if (FirstCue(words, kTransientCues)) return ErrorClass::kTransient;
  if (FirstCue(words, kPermanentCues)) return ErrorClass::kPermanent;
  return ErrorClass::kUnknown;
}

std::optional<std::string_view> ExpectedCause(std::string_view text) { return FirstCue(Words(text), kExpectedCauses); }

std::vector<Leaf> Leaves(const json::object& object, std::size_t limit, const std::vector<std::string_view>& skip) {
  LeafWalk walk(limit, skip);
  for (const auto& member : object) {
    const std::string_view key = member.key();
    if (std::ranges::find(skip, key) == skip.end()) walk.Walk(member.value(), std::string(key), key);
  }
  return std::move(walk.leaves);
}

}  // namespace seedcore::cognitive::rules
