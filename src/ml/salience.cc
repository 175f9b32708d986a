#include "ml/salience.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::ml {
namespace {

/// What a feature is set to at least when a word occurs. "fail*" stands for every word that starts so, "error" for
/// itself and its plural.
struct Cue {
  std::string_view pattern;
  double SalienceFeatures::* feature;
  double level;
};

constexpr auto kSeverity = &SalienceFeatures::failure_severity;
constexpr auto kRisk = &SalienceFeatures::task_risk;
constexpr auto kImpact = &SalienceFeatures::user_impact;

constexpr std::array kCues{
    Cue{"outage", kSeverity, 1.0},    Cue{"crash*", kSeverity, 0.9},      Cue{"down", kSeverity, 0.7},
    Cue{"fail*", kSeverity, 0.7},     Cue{"error", kSeverity, 0.6},       Cue{"exception", kSeverity, 0.6},
    Cue{"corrupt*", kSeverity, 0.9},  Cue{"lost", kSeverity, 0.8},        Cue{"loss", kSeverity, 0.8},
    Cue{"timeout", kSeverity, 0.6},   Cue{"unavailable", kSeverity, 0.8}, Cue{"unreachable", kSeverity, 0.8},
    Cue{"critical*", kSeverity, 0.9}, Cue{"fatal*", kSeverity, 1.0},      Cue{"emergenc*", kSeverity, 1.0},
    Cue{"severe*", kSeverity, 0.8},   Cue{"anomal*", kSeverity, 0.5},     Cue{"degrad*", kSeverity, 0.5},
    Cue{"slow*", kSeverity, 0.4},     Cue{"warn*", kSeverity, 0.3},       Cue{"breach*", kRisk, 1.0},
    Cue{"attack*", kRisk, 1.0},       Cue{"intru*", kRisk, 1.0},          Cue{"leak*", kRisk, 0.9},
    Cue{"emergenc*", kRisk, 0.9},     Cue{"unauthori*", kRisk, 0.8},      Cue{"danger*", kRisk, 0.8},
    Cue{"threat*", kRisk, 0.8},       Cue{"critical*", kRisk, 0.8},       Cue{"security", kRisk, 0.7},
    Cue{"urgent*", kRisk, 0.7},       Cue{"overload*", kRisk, 0.7},       Cue{"risk*", kRisk, 0.6},
    Cue{"immediate*", kRisk, 0.6},    Cue{"anomal*", kRisk, 0.5},         Cue{"outage", kImpact, 0.9},
    Cue{"everyone", kImpact, 0.9},    Cue{"patient", kImpact, 0.9},       Cue{"payment", kImpact, 0.8},
    Cue{"emergenc*", kImpact, 0.8},   Cue{"production", kImpact, 0.7},    Cue{"customer", kImpact, 0.7},
    Cue{"user", kImpact, 0.5},        Cue{"all", kImpact, 0.4},
};
constexpr std::array<std::string_view, 5> kNegations{"no", "not", "without", "never", "zero"};

std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(ToLower(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(ToLower(word));
  return words;
}

bool Matches(std::string_view word, std::string_view pattern) {
  if (pattern.ends_with('*')) return word.starts_with(pattern.substr(0, pattern.size() - 1));
  if (!word.starts_with(pattern)) return false;
  const std::string_view ending = word.substr(pattern.size());
  return ending.empty() || ending == "s";
}

}  // namespace

Result<void> SalienceFeatures::Validate() const {
  constexpr double kLongestResponse = 1e6;
  Result<void> result;
  const auto check = [&](const auto& field) {
    const double value = this->*(field.member);
    const double max = field.name == "response_time" ? kLongestResponse : 1.0;
    if (result && !(value >= 0.0 && value <= max)) {
      result = Fail(ErrorCode::kInvalidArgument, fmt::format("must be within 0 and {}, got {}", max, value),
                    std::string(field.name));
    }
  };
  kFields.Apply([&](const auto&... field) { (check(field), ...); });
  return result;
}

double ScoreSalience(const SalienceFeatures& f) {
  const double core = 0.3 * f.task_risk + 0.3 * f.failure_severity + 0.2 * f.user_impact + 0.2 * f.business_criticality;
  const double strain = (f.task_complexity + (1.0 - f.agent_capability) + f.agent_memory_util + f.system_load +
                         f.memory_usage + f.cpu_usage + std::min(f.response_time / 5.0, 1.0) + f.error_rate) /
                        8.0;
  return std::clamp(core * (0.9 + 0.2 * strain), 0.0, 1.0);
}

SalienceFeatures FeaturesFromText(std::string_view text, double priority) {
  constexpr double kCalm = 0.1;
  SalienceFeatures features;
  features.task_risk = features.failure_severity = features.user_impact = kCalm;
  features.business_criticality = std::clamp(priority / 10.0, 0.0, 1.0);

  const std::vector<std::string> words = WordsOf(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0 && std::ranges::find(kNegations, words[i - 1]) != kNegations.end()) continue;
    for (const Cue& cue : kCues) {
      if (!Matches(words[i], cue.pattern)) continue;
      double& feature = features.*(cue.feature);
      feature = std::max(feature, cue.level);
    }
  }
  return features;
}

}  // namespace seedcore::ml
