#include "organism/executors/intent.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"
#include "organism/calc.h"
#include "organism/words.h"
#include "store/task.h"

namespace seedcore::organism {
namespace {

using WordSet = std::set<std::string_view>;

bool ContainsAny(const std::vector<std::string>& words, const WordSet& set) {
  return std::ranges::any_of(words, [&](const std::string& word) { return set.contains(word); });
}

std::string Without(const std::vector<std::string>& words, const WordSet& set) {
  std::vector<std::string_view> rest;
  for (const std::string& word : words) {
    if (!set.contains(word) && !IsStopWord(word)) rest.push_back(word);
  }
  return fmt::format("{}", fmt::join(rest, " "));
}

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// The part of a question that could be an expression, with spelled-out operators turned into signs.
struct Arithmetic {
  std::string expression;
  bool ordered = false;  ///< a word such as "calculate" says that it must be one
};

Arithmetic ExtractArithmetic(std::string_view question) {
  constexpr std::array<std::string_view, 14> kOpenings = {
      "please ",    "can you ", "could you ", "what is ", "what's ",        "whats ",        "how much is ",
      "calculate ", "compute ", "evaluate ",  "solve ",   "the result of ", "the value of ", "the "};
  constexpr WordSet::value_type kOrders[] = {"calculate ", "compute ", "evaluate ", "solve "};
  std::string text = ToLower(Trim(question));
  while (!text.empty() && (text.back() == '?' || text.back() == '=' || text.back() == '!' || text.back() == ' ')) {
    text.pop_back();
  }
  Arithmetic arithmetic;
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string_view opening : kOpenings) {
      if (!text.starts_with(opening)) continue;
      arithmetic.ordered = arithmetic.ordered || std::ranges::find(kOrders, opening) != std::end(kOrders);
      text = Trim(std::string_view(text).substr(opening.size()));
      stripped = true;
    }
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kSpelled = {{{" plus ", " + "},
                                                                                      {" minus ", " - "},
                                                                                      {" times ", " * "},
                                                                                      {" multiplied by ", " * "},
                                                                                      {" divided by ", " / "},
                                                                                      {" to the power of ", " ^ "},
                                                                                      {" squared", " ^ 2"},
                                                                                      {" cubed", " ^ 3"}}};
  for (const auto& [from, to] : kSpelled) ReplaceAll(text, from, to);
  arithmetic.expression = std::move(text);
  return arithmetic;
}

std::optional<Intent> TaskIntent(const std::vector<std::string>& words) {
  static const WordSet kTaskWords = {"task", "tasks"};
  static const WordSet kAsking = {"how", "many", "count", "number", "list", "show", "find", "search", "which", "any"};
  static const WordSet kFiller = {"task", "tasks", "many",   "count",  "number", "list", "find", "search",
                                  "all",  "state", "status", "latest", "recent", "last", "now",  "currently"};
  if (!ContainsAny(words, kTaskWords) || !ContainsAny(words, kAsking)) return std::nullopt;
  json::object arguments;
  WordSet understood = kFiller;
  for (const auto& [status, name] : store::EnumNames(store::TaskStatus{})) {
    if (!ContainsAny(words, {name})) continue;
    arguments["status"] = name;
    understood.insert(name);
    break;
  }
  const std::string text = Without(words, understood);
  if (!text.empty()) arguments["text"] = text;
  return Intent{"task_search", std::move(arguments)};
}

std::optional<Intent> FactIntent(const std::vector<std::string>& words) {
  static const WordSet kFactWords = {"fact", "facts"};
  static const WordSet kFiller = {"fact", "facts", "find", "search", "list", "look", "up", "stored", "all"};
  if (!ContainsAny(words, kFactWords)) return std::nullopt;
  const std::string text = Without(words, kFiller);
  if (text.empty()) return std::nullopt;
  return Intent{"fact_search", {{"query", text}}};
}

struct Vocabulary {
  std::string_view tool;
  WordSet keywords;  ///< one of these must be there
  WordSet others;    ///< these may be
};

const std::array<Vocabulary, 3>& Vocabularies() {
  static const std::array<Vocabulary, 3> kVocabularies = {
      {{"time", {"time", "clock", "utc", "gmt", "hour"}, {"now", "current", "currently", "exact", "local"}},
       {"date",
        {"date", "today", "todays", "day", "weekday", "month", "year"},
        {"now", "current", "currently", "week"}},
       {"system_status",
        {"status", "health", "healthy", "working", "running", "uptime", "load", "cpu", "memory", "disk", "alive"},
        {"system", "now", "current", "currently", "everything", "all", "ok", "okay", "seedcore", "usage", "up"}}}};
  return kVocabularies;
}

std::vector<Intent> VocabularyIntents(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"how", "are", "you"}) return {{"system_status", {}}};
  const auto content = ContentWords(words);
  const bool all_understood = std::ranges::all_of(content, [](const std::string& word) {
    return std::ranges::any_of(Vocabularies(), [&](const Vocabulary& vocabulary) {
      return vocabulary.keywords.contains(word) || vocabulary.others.contains(word);
    });
  });
  std::vector<Intent> intents;
  if (!all_understood) return intents;
  for (const Vocabulary& vocabulary : Vocabularies()) {
    if (ContainsAny(content, vocabulary.keywords)) intents.push_back({std::string(vocabulary.tool), {}});
  }
  return intents;
}

}  // namespace

std::vector<Intent> RecognizeIntents(std::string_view question) {
  const Arithmetic arithmetic = ExtractArithmetic(question);
  const bool has_digit = std::ranges::any_of(arithmetic.expression, [](char c) { return c >= '0' && c <= '9'; });
  if (IsComputation(arithmetic.expression) || (arithmetic.ordered && has_digit)) {
    return {{"calculate", {{"expression", arithmetic.expression}}}};
  }
  const auto words = Words(question);
  if (auto intent = TaskIntent(words)) return {std::move(*intent)};
  if (auto intent = FactIntent(words)) return {std::move(*intent)};
  return VocabularyIntents(words);
}

}  // namespace seedcore::organism
