#include "cognitive/rules/evidence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr std::size_t kMaxEvidenceBytes = 300;
constexpr double kWeightOfHalf = 3.0;
constexpr double kMostConfident = 0.95;
// At equal weight the earlier wins: look before acting, and act rather than miss something.
constexpr std::array<Action, 6> kByPreference{Action::kInvestigate, Action::kEscalate, Action::kScaleUp,
                                              Action::kRetry,       Action::kHold,     Action::kIgnore};

}  // namespace

std::string EvidenceBook::Add(std::string id, std::string_view text) {
  if (index_.try_emplace(id, evidence_.size()).second) evidence_.push_back({id, Shorten(text, kMaxEvidenceBytes)});
  return id;
}

double Round3(double value) {
  constexpr double kNoFraction = 1e15;
  return std::abs(value) < kNoFraction ? std::round(value * 1000) / 1000 : value;
}

double Finite(double value) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  return std::isnan(value) ? 0.0 : std::clamp(value, -kLargest, kLargest);
}

double Confidence(double weight_for, double weight_of_all) {
  if (weight_of_all <= 0 || weight_for <= 0) return 0.0;
  const double amount = weight_of_all / (weight_of_all + kWeightOfHalf);
  return Round3(std::min(kMostConfident, amount * weight_for / weight_of_all));
}

void Votes::Add(Action action, double weight, Statement finding) {
  votes_.push_back({action, weight, finding.evidence});
  findings_.push_back(std::move(finding));
}

double Votes::weight(Action action) const {
  double sum = 0.0;
  for (const Vote& vote : votes_) sum += vote.action == action ? vote.weight : 0.0;
  return sum;
}

Votes::Verdict Votes::Decide() const {
  double all = 0.0;
  for (const Vote& vote : votes_) all += vote.weight;
  if (all <= 0) return {};
  Verdict verdict;
  double best = 0.0;
  for (const Action action : kByPreference) {
    if (weight(action) <= best) continue;
    best = weight(action);
    verdict.action = action;
  }
  verdict.share = best / all;
  verdict.confidence = Confidence(best, all);
  return verdict;
}

std::vector<std::string> Votes::EvidenceFor(Action action) const {
  std::vector<std::string> ids;
  for (const Vote& vote : votes_) {
    if (vote.action != action) continue;
    for (const std::string& id : vote.evidence) {
      if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
    }
  }
  return ids;
}

std::string Paragraph(const std::vector<Statement>& statements) {
  std::string paragraph;
  for (const Statement& statement : statements) paragraph.append(paragraph.empty() ? "" : " ").append(statement.text);
  return paragraph;
}

}  // namespace seedcore::cognitive::rules
