#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/neighbourhood.h"

namespace seedcore::graph {

/// Width of features and of embeddings.
inline constexpr std::size_t kDims = 128;
/// Grows when what a feature means changes; part of the version of every embedding.
inline constexpr int kFeatureVersion = 1;

/// Row by row, kDims numbers a node.
using Matrix = std::vector<float>;

/// What is known of a node, as numbers that are never negative; each row has length 1 (L2). Nothing in it is random.
///
///   [0, 11)    its kind, one of eleven
///   [11]       priority / 10, of a task
///   [12]       1 / (1 + whole days since it was made)
///   [13]       share of the words of its text that differ from each other
///   [14, 50)   edges by kind and direction: log(1 + n) / log(1 + fanout), n counted up to the fan-out
///   [50, 66)   its label in one of 16 buckets, by hash
///   [66, 128)  words of its text in 62 buckets by hash (Weinberger et al. 2009, without signs): square roots of the
///              counts, together of length 1
[[nodiscard]] Matrix Features(const Neighbourhood& neighbourhood, int fanout, WallTime now);

/// FNV-1a, 64 bits.
[[nodiscard]] std::uint64_t Hash(std::string_view bytes, std::uint64_t start = 0xcbf29ce484222325ULL);

/// Divides a row by its length, unless that is 0.
void Normalize(std::span<float> row);

}  // namespace seedcore::graph
