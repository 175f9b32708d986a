#pragma once

#include <string>
#include <vector>

#include "cognitive/output.h"

/// What retrieval found out for one question.
namespace seedcore::cognitive {

struct KnowledgeFact {
  std::string id;      ///< of the fact store, or "given-N" for what the caller brought along
  std::string text;    ///< sanitized
  double score = 0.0;  ///< relevance in [0, 1] plus the rank bonus, see ranking.h
  std::string source;
  double trust = 0.5;  ///< 0 to 1
  bool stale = false;
  bool instructions_present = false;
  std::vector<std::string> conflict_set;  ///< ids of facts that say the contrary
};

struct RelatedIncident {
  std::string id;
  double salience = 0.0;
  double similarity = 0.0;  ///< 0 to 1, share of the question's words
  std::string text;
  json::object event_data;
};

struct Knowledge {
  std::vector<KnowledgeFact> facts;        ///< best first, within the token budget
  std::vector<RelatedIncident> incidents;  ///< most similar and salient first
  std::string summary;
  Sufficiency sufficiency;
  bool escalate_hint = false;
};

}  // namespace seedcore::cognitive
