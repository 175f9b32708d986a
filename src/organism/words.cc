#include "organism/words.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/strings.h"

namespace seedcore::organism {
namespace {

bool IsWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte >= 0x80 ||
         byte == '_';
}

constexpr auto kStopWords = std::to_array<std::string_view>(
    {"a",     "about", "an",     "and",   "any", "are",  "at",   "be",    "been",   "by",    "can",  "could",
     "do",    "does",  "for",    "from",  "get", "give", "had",  "has",   "have",   "hello", "hey",  "hi",
     "how",   "i",     "in",     "is",    "it",  "its",  "know", "let",   "me",     "my",    "of",   "on",
     "or",    "our",   "please", "right", "s",   "show", "some", "tell",  "thanks", "that",  "the",  "there",
     "these", "they",  "this",   "those", "to",  "us",   "want", "was",   "we",     "were",  "what", "whats",
     "when",  "where", "which",  "who",   "why", "will", "with", "would", "you",    "your"});
static_assert(std::ranges::is_sorted(kStopWords), "IsStopWord searches by halving");

}  // namespace

std::vector<std::string> Words(std::string_view text, std::size_t max_words) {
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = 0; i <= text.size() && words.size() < max_words; ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    if (IsWordByte(c)) {
      word += c;
    } else if (c == '\'' && !word.empty() && i + 1 < text.size() && IsWordByte(text[i + 1])) {
      continue;
    } else if (!word.empty()) {
      words.push_back(ToLower(word));
      word.clear();
    }
  }
  return words;
}

bool IsStopWord(std::string_view word) { return std::ranges::binary_search(kStopWords, word); }

std::vector<std::string> ContentWords(const std::vector<std::string>& words) {
  std::vector<std::string> content;
  std::ranges::copy_if(words, std::back_inserter(content), [](const std::string& word) { return !IsStopWord(word); });
  return content;
}

double Coverage(const std::vector<std::string>& wanted, std::string_view text) {
  if (wanted.empty()) return 0.0;
  constexpr std::size_t kMaxWords = 4096;
  const auto words = Words(text, kMaxWords);
  const std::set<std::string_view> present(words.begin(), words.end());
  const auto found = std::ranges::count_if(wanted, [&](const std::string& word) { return present.contains(word); });
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

}  // namespace seedcore::organism
