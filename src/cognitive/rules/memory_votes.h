#pragma once

#include "cognitive/knowledge.h"
#include "cognitive/rules/evidence.h"

namespace seedcore::cognitive::rules {

/// What retrieved facts and incidents say about what to do.
///   fact that gives an expected cause ("holiday", "maintenance"): hold, weight 1.5 x trust x relevance,
///   fact that recommends an action: that action, weight trust x relevance,
///   incident with a recorded action or resolution: that action, weight 2 x salience x similarity,
///   incident without one, salience at least 0.7: investigate, weight salience x similarity.
/// A fact that others contradict counts half. Facts below relevance 0.3 say nothing.
void VoteFromMemory(const Knowledge& knowledge, EvidenceBook& book, Votes& votes);

}  // namespace seedcore::cognitive::rules
