#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace seedcore::ml {

inline constexpr std::size_t kTextFeatures = 256;
/// Characters of a text that are looked at.
inline constexpr std::size_t kMaxTextCharacters = 512;

/// A text as a unit vector, or all zeros for a text without words.
using TextVector = std::array<float, kTextFeatures>;

/// Signed feature hashing (Weinberger et al. 2009) of words, word pairs and character trigrams within words, in lower
/// case, L2-normalized. Words that contain a digit count as one and the same word: numbers, dates and ids vary without
/// meaning anything. Deterministic on every machine. O(length).
[[nodiscard]] TextVector FeaturizeText(std::string_view text);

/// Cosine of two such vectors, [-1, 1]; 0 when one of them is zero.
[[nodiscard]] double Cosine(const TextVector& a, const TextVector& b);

/// A fixed 64-bit hash of bytes (FNV-1a with a final mix), for features and ids. Not for secrets.
[[nodiscard]] std::uint64_t StableHash(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace seedcore::ml
