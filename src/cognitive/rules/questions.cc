#include "cognitive/rules/questions.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr auto kOpeners = std::to_array<std::string_view>(
    {"what",    "what's",    "when",   "who",  "where", "why",    "which",    "how",    "is",
     "are",     "was",       "were",   "does", "do",    "did",    "can",      "list",   "show",
     "compute", "calculate", "tell",   "give", "find",  "search", "check",    "count",  "summarize",
     "explain", "describe",  "report", "get",  "look",  "store",  "remember", "compare"});
/// Words that point back to an answer before them.
constexpr auto kBackReferences = std::to_array<std::string_view>({"it", "that", "this", "them", "those", "result"});

bool Opens(std::string_view text) {
  const std::size_t end = text.find_first_of(" \t,?");
  const std::string word = ToLower(text.substr(0, end));
  return std::ranges::find(kOpeners, word) != kOpeners.end();
}

struct Joint {
  std::string_view text;
  bool sequence;
};
// Longer ones first: " and then " is not " and ".
constexpr std::array<Joint, 7> kJoints{{{" and after that ", true},
                                        {" after that ", true},
                                        {" and then ", true},
                                        {" and also ", false},
                                        {" then ", true},
                                        {" and ", false},
                                        {" also ", false}}};

class Splitter {
 public:
  QuestionParts Split(std::string_view text) {
    for (const std::string& sentence : Sentences(text)) SplitSentence(sentence);
    return std::move(parts_);
  }

 private:
  void SplitSentence(std::string_view sentence) {
    std::string lower = ToLower(sentence);
    for (char& c : lower) c = c == ',' ? ' ' : c;  // ", then"
    std::size_t begin = 0;
    std::size_t from = 0;
    while (from < lower.size()) {
      const Joint* nearest = nullptr;
      std::size_t at = std::string::npos;
      for (const Joint& joint : kJoints) {
        const std::size_t found = lower.find(joint.text, from);
        if (found < at) {
          at = found;
          nearest = &joint;
        }
      }
      if (nearest == nullptr) break;
      const std::size_t next = at + nearest->text.size();
      if (Opens(sentence.substr(next)) && at > begin) {
        Add(sentence.substr(begin, at - begin));
        begin = next;
        parts_.in_sequence = parts_.in_sequence || nearest->sequence;
      }
      from = at + 1;
    }
    Add(sentence.substr(begin));
  }

  void Add(std::string_view part) {
    part = Trim(part);
    while (!part.empty() && (part.back() == ',' || part.back() == ';')) part.remove_suffix(1);
    if (part.empty()) return;
    if (!parts_.questions.empty()) {
      const std::vector<std::string> words = Words(part);
      parts_.in_sequence =
          parts_.in_sequence ||
          std::ranges::any_of(words.begin() + std::min<std::ptrdiff_t>(1, std::ssize(words)), words.end(),
                              [](const std::string& word) {
                                return std::ranges::find(kBackReferences, word) != kBackReferences.end();
                              });
    }
    parts_.questions.emplace_back(part);
  }

  QuestionParts parts_;
};

}  // namespace

QuestionParts SplitQuestion(std::string_view text) {
  QuestionParts parts = Splitter().Split(text);
  // A statement among the parts is context for the others, not a question of its own.
  const bool all_open = std::ranges::all_of(parts.questions, [](const std::string& part) { return Opens(part); });
  if (parts.questions.size() < 2 || parts.questions.size() > kMaxQuestions || !all_open) {
    return {{std::string(Trim(text))}, false};
  }
  return parts;
}

}  // namespace seedcore::cognitive::rules
