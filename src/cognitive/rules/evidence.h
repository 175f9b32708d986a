#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cognitive/output.h"

namespace seedcore::cognitive::rules {

/// Collects evidence while reasoning goes on, each id once.
class EvidenceBook {
 public:
  /// Returns `id`. Later texts of the same id are ignored.
  std::string Add(std::string id, std::string_view text);
  [[nodiscard]] std::size_t size() const { return evidence_.size(); }
  [[nodiscard]] std::vector<Evidence> Take() && { return std::move(evidence_); }

 private:
  std::vector<Evidence> evidence_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// Confidence in a conclusion: amount x agreement, where
///   amount    = weight / (weight + 3), weight being that of all evidence for and against, so that one piece of weight
///   1
///               can't give more than 0.25,
///   agreement = weight for / weight of all,
/// at most 0.95, rounded to three digits. 0 without evidence.
[[nodiscard]] double Confidence(double weight_for, double weight_of_all);

/// Weighs evidence for actions against each other.
class Votes {
 public:
  /// `weight` > 0. `finding` goes to the findings, in the order of the calls.
  void Add(Action action, double weight, Statement finding);
  /// Says something that speaks for no action.
  void Note(Statement finding) { findings_.push_back(std::move(finding)); }

  struct Verdict {
    Action action = Action::kHold;  ///< hold without any vote
    double confidence = 0.0;
    double share = 0.0;  ///< of the weight
  };
  /// The heaviest action; at equal weight investigate, then escalate, scale_up, retry, hold, ignore.
  [[nodiscard]] Verdict Decide() const;
  [[nodiscard]] double weight(Action action) const;
  [[nodiscard]] const std::vector<Statement>& findings() const { return findings_; }
  /// The evidence of the votes for `action`, each id once.
  [[nodiscard]] std::vector<std::string> EvidenceFor(Action action) const;

 private:
  struct Vote {
    Action action;
    double weight;
    std::vector<std::string> evidence;
  };
  std::vector<Vote> votes_;
  std::vector<Statement> findings_;
};

/// The texts of statements as one paragraph.
[[nodiscard]] std::string Paragraph(const std::vector<Statement>& statements);

/// Three digits after the point; a number too large to have any stays as it is.
[[nodiscard]] double Round3(double value);
/// The largest finite number instead of an infinite one: what callers send may be as large as a double can be.
[[nodiscard]] double Finite(double value);

}  // namespace seedcore::cognitive::rules
