#include "cognitive/sanitize.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "cognitive/text.h"

namespace seedcore::cognitive {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Replaces every `open` ... `close`. One without an end is left as it is.
std::string ReplaceBetween(std::string_view text, std::string_view open, std::string_view close,
                           std::string_view marker) {
  const std::string lower = ToLower(text);
  std::string out;
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t begin = lower.find(open, from);
    const std::size_t end = begin == std::string::npos ? begin : lower.find(close, begin + open.size());
    if (end == std::string::npos) break;
    out.append(text.substr(from, begin - from)).append(marker);
    from = end + close.size();
  }
  out.append(text.substr(std::min(from, text.size())));
  return out;
}

std::string ReplaceUrls(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    const std::string head = ToLower(rest.substr(0, 8));
    if (!head.starts_with("http://") && head != "https://") {
      out += text[i++];
      continue;
    }
    out += "[URL_REMOVED]";
    while (i < text.size() && !IsSpace(text[i])) ++i;
  }
  return out;
}

std::string ReplaceMentions(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '@' || i + 1 == text.size() || !IsNameByte(text[i + 1])) {
      out += text[i++];
      continue;
    }
    out += "[MENTION_REMOVED]";
    ++i;
    while (i < text.size() && IsNameByte(text[i])) ++i;
  }
  return out;
}

std::string CollapseSpace(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!IsSpace(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

std::string Sanitize(std::string_view text) {
  std::string clean = ReplaceBetween(text, "```", "```", "[CODE_BLOCK_REMOVED]");
  clean = ReplaceBetween(clean, "`", "`", "[INLINE_CODE_REMOVED]");
  clean = ReplaceUrls(clean);
  clean = ReplaceMentions(clean);
  clean = ReplaceBetween(clean, "<script", "</script>", "[SCRIPT_REMOVED]");
  clean = ReplaceBetween(clean, "<iframe", "</iframe>", "[IFRAME_REMOVED]");
  return CollapseSpace(clean);
}

bool InstructionsPresent(std::string_view text) {
  constexpr std::array<std::string_view, 8> kWords{"instruction", "instructions", "command", "commands",
                                                   "execute",     "run",          "do",      "perform"};
  return std::ranges::any_of(Words(text),
                             [&](const std::string& word) { return std::ranges::find(kWords, word) != kWords.end(); });
}

}  // namespace seedcore::cognitive
