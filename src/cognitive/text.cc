#include "cognitive/text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::cognitive {
namespace {

constexpr auto kStopWords = std::to_array<std::string_view>(
    {"a",      "about", "after", "all",   "also",  "an",    "and",  "any",  "are",  "as",   "at",    "be",   "been",
     "before", "but",   "by",    "can",   "did",   "do",    "does", "for",  "from", "had",  "has",   "have", "how",
     "i",      "if",    "in",    "into",  "is",    "it",    "its",  "may",  "me",   "more", "most",  "my",   "no",
     "not",    "of",    "on",    "or",    "our",   "out",   "over", "per",  "so",   "some", "such",  "than", "that",
     "the",    "their", "them",  "then",  "there", "these", "they", "this", "to",   "up",   "us",    "was",  "we",
     "were",   "what",  "when",  "where", "which", "while", "who",  "why",  "will", "with", "would", "you",  "your"});
static_assert(std::ranges::is_sorted(kStopWords));

bool IsWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
}

std::string Singular(std::string word) {
  if (word.size() > 4 && word.ends_with("ies")) return word.replace(word.size() - 3, 3, "y");
  const bool plural = word.size() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us");
  if (plural) word.pop_back();
  return word;
}

void Flatten(const json::value& value, std::size_t max_bytes, std::string& out) {
  const auto add = [&](std::string_view part) {
    if (part.empty() || out.size() >= max_bytes) return;
    if (!out.empty()) out += ' ';
    out += part.substr(0, max_bytes - std::min(out.size(), max_bytes));
  };
  switch (value.kind()) {
    case json::kind::object:
      for (const auto& member : value.get_object()) {
        if (out.size() >= max_bytes) return;
        add(member.key());
        Flatten(member.value(), max_bytes, out);
      }
      return;
    case json::kind::array:
      for (const json::value& item : value.get_array()) {
        if (out.size() >= max_bytes) return;
        Flatten(item, max_bytes, out);
      }
      return;
    case json::kind::string: add(value.get_string()); return;
    case json::kind::null: return;
    default: add(WriteJson(value)); return;
  }
}

}  // namespace

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!IsWordByte(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && IsWordByte(text[end])) ++end;
    words.push_back(ToLower(text.substr(i, end - i)));
    i = end;
  }
  return words;
}

WordSet ContentWords(std::string_view text) {
  WordSet content;
  for (std::string& word : Words(text)) {
    if (!std::ranges::binary_search(kStopWords, word)) content.insert(Singular(std::move(word)));
  }
  return content;
}

std::size_t SharedWords(const WordSet& a, const WordSet& b) {
  const WordSet& small = a.size() < b.size() ? a : b;
  const WordSet& large = a.size() < b.size() ? b : a;
  return static_cast<std::size_t>(std::ranges::count_if(small, [&](const auto& word) { return large.contains(word); }));
}

double Jaccard(const WordSet& a, const WordSet& b) {
  const std::size_t shared = SharedWords(a, b);
  const std::size_t all = a.size() + b.size() - shared;
  return all == 0 ? 0.0 : static_cast<double>(shared) / static_cast<double>(all);
}

std::vector<std::string> Sentences(std::string_view text) {
  std::vector<std::string> sentences;
  std::size_t begin = 0;
  const auto cut = [&](std::size_t end) {
    const std::string_view sentence = Trim(text.substr(begin, end - begin));
    if (!sentence.empty()) sentences.emplace_back(sentence);
    begin = end;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool at_end = i + 1 == text.size() || text[i + 1] == ' ' || text[i + 1] == '\n';
    if (c == '\n' || ((c == '.' || c == '!' || c == '?' || c == ';') && at_end)) cut(i + 1);
  }
  cut(text.size());
  return sentences;
}

int EstimateTokens(std::string_view text) {
  return std::max(1, static_cast<int>(static_cast<double>(text.size()) / 3.5));
}

std::string FlattenJson(const json::value& value, std::size_t max_bytes) {
  std::string out;
  Flatten(value, max_bytes, out);
  return out;
}

std::string Shorten(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a UTF-8 sequence
  return std::string(text.substr(0, end)) + "...";
}

std::string JoinWords(const std::vector<std::string>& parts) {
  std::string joined;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) joined += i + 1 == parts.size() ? " and " : ", ";
    joined += parts[i];
  }
  return joined;
}

std::string Counted(std::size_t count, std::string_view singular, std::string_view plural) {
  return fmt::format("{} {}", count, count == 1 ? singular : plural);
}

}  // namespace seedcore::cognitive
