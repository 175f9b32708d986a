#include "ml/text_features.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace seedcore::ml {
namespace {

constexpr std::uint64_t kSeed = 0x5eedc03e;
constexpr float kWordWeight = 1.0F;
constexpr float kPairWeight = 0.5F;
constexpr float kTrigramWeight = 0.3F;

/// What a word with a digit in it is replaced by.
constexpr std::string_view kNumber = "0";

bool IsWordByte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/// The first kMaxTextCharacters characters; a character of several bytes is never cut.
std::string_view Truncate(std::string_view text) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts_character = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts_character && characters++ == kMaxTextCharacters) return text.substr(0, i);
  }
  return text;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool has_digit = false;
  const auto finish = [&] {
    if (!word.empty()) words.push_back(has_digit ? std::string(kNumber) : std::move(word));
    word.clear();
    has_digit = false;
  };
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (!IsWordByte(byte)) {
      finish();
      continue;
    }
    has_digit |= byte >= '0' && byte <= '9';
    word += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : character;
  }
  finish();
  return words;
}

void AddFeature(TextVector& vector, std::string_view name, std::uint64_t kind, float weight) {
  const std::uint64_t hash = StableHash(name, kSeed + kind);
  const float sign = (hash >> 63) != 0 ? 1.0F : -1.0F;
  vector[hash % kTextFeatures] += sign * weight;
}

}  // namespace

std::uint64_t StableHash(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ (seed * 0x9e3779b97f4a7c15ULL);
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  // FNV-1a alone leaves the low bits of short keys poorly mixed; this is the finalizer of MurmurHash3.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53ULL;
  hash ^= hash >> 33;
  return hash;
}

TextVector FeaturizeText(std::string_view text) {
  TextVector vector{};
  const std::vector<std::string> words = Words(Truncate(text));
  std::string pair;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    AddFeature(vector, word, 1, kWordWeight);
    if (i > 0) {
      pair.assign(words[i - 1]).append(1, ' ').append(word);
      AddFeature(vector, pair, 2, kPairWeight);
    }
    for (std::size_t at = 0; at + 3 <= word.size(); ++at) {
      AddFeature(vector, std::string_view(word).substr(at, 3), 3, kTrigramWeight);
    }
  }
  double square = 0.0;
  for (const float value : vector) square += static_cast<double>(value) * static_cast<double>(value);
  if (square == 0.0) return vector;
  const auto scale = static_cast<float>(1.0 / std::sqrt(square));
  for (float& value : vector) value *= scale;
  return vector;
}

double Cosine(const TextVector& a, const TextVector& b) {
  double dot = 0.0;
  double square_a = 0.0;
  double square_b = 0.0;
  for (std::size_t i = 0; i < kTextFeatures; ++i) {
    const double x = a[i];
    const double y = b[i];
    dot += x * y;
    square_a += x * x;
    square_b += y * y;
  }
  if (square_a == 0.0 || square_b == 0.0) return 0.0;
  return dot / std::sqrt(square_a * square_b);
}

}  // namespace seedcore::ml
