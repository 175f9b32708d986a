#pragma once

#include <set>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cognitive/knowledge.h"
#include "cognitive/rules/rules.h"

/// For tests of the rules: requests from JSON text, and knowledge by hand.
namespace seedcore::cognitive::rules {

inline ReasoningRequest RequestOf(std::string_view json_text) {
  auto request = FromJsonText<ReasoningRequest>(json_text);
  EXPECT_TRUE(request) << ToString(request.error());
  return request ? *request : ReasoningRequest{};
}

inline KnowledgeFact FactOf(std::string id, std::string text, double score = 1.0, double trust = 0.8) {
  KnowledgeFact fact;
  fact.id = std::move(id);
  fact.text = std::move(text);
  fact.score = score;
  fact.trust = trust;
  return fact;
}

/// Every statement names evidence, and every id of it is listed.
inline void ExpectTraceable(const std::vector<Statement>& statements, const std::vector<Evidence>& evidence) {
  std::set<std::string> known;
  for (const Evidence& piece : evidence) known.insert(piece.id);
  for (const Statement& statement : statements) {
    EXPECT_FALSE(statement.evidence.empty()) << statement.text;
    for (const std::string& id : statement.evidence) EXPECT_TRUE(known.contains(id)) << id << " of " << statement.text;
  }
}

}  // namespace seedcore::cognitive::rules
