#include "graph/features.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

namespace seedcore::graph {
namespace {

constexpr std::size_t kPriority = store::kNodeKinds;
constexpr std::size_t kRecency = kPriority + 1;
constexpr std::size_t kVariety = kRecency + 1;
constexpr std::size_t kDegrees = kVariety + 1;
constexpr std::size_t kLabel = kDegrees + kSides;
constexpr std::size_t kLabelBuckets = 16;
constexpr std::size_t kText = kLabel + kLabelBuckets;
constexpr std::size_t kTextBuckets = kDims - kText;
static_assert(kText == 66, "features.h says where each feature is");

/// Letters, digits and whatever is not ASCII.
bool IsWordByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

template <class Use>
void ForEachWord(std::string_view text, Use use) {
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && IsWordByte(text[i])) {
      const char c = text[i];
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!word.empty()) {
      use(word);
      word.clear();
    }
  }
}

void AddText(std::string_view text, std::span<float> row) {
  std::array<float, kTextBuckets> counts{};
  std::set<std::uint64_t> different;
  std::size_t words = 0;
  ForEachWord(text, [&](const std::string& word) {
    const std::uint64_t hash = Hash(word);
    counts[hash % kTextBuckets] += 1.0F;
    different.insert(hash);
    ++words;
  });
  if (words == 0) return;
  row[kVariety] = static_cast<float>(different.size()) / static_cast<float>(words);
  // The roots of counts that add up to `words` have a length of the root of it.
  const float length = std::sqrt(static_cast<float>(words));
  for (std::size_t i = 0; i < kTextBuckets; ++i) row[kText + i] = std::sqrt(counts[i]) / length;
}

float Recency(WallTime made, WallTime now) {
  const auto days = std::chrono::floor<std::chrono::days>(now - made).count();
  return 1.0F / static_cast<float>(1 + std::max<std::int64_t>(0, days));
}

}  // namespace

std::uint64_t Hash(std::string_view bytes, std::uint64_t start) {
  std::uint64_t hash = start;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

void Normalize(std::span<float> row) {
  float sum = 0.0F;
  for (const float x : row) sum += x * x;
  if (sum <= 0.0F) return;
  const float scale = 1.0F / std::sqrt(sum);
  for (float& x : row) x *= scale;
}

Matrix Features(const Neighbourhood& neighbourhood, int fanout, WallTime now) {
  Matrix features(neighbourhood.nodes.size() * kDims);
  const float most = std::log1p(static_cast<float>(fanout));
  for (std::size_t i = 0; i < neighbourhood.nodes.size(); ++i) {
    const store::GraphNode& node = neighbourhood.nodes[i];
    const std::span row = std::span(features).subspan(i * kDims, kDims);
    row[static_cast<std::size_t>(node.ref.kind)] = 1.0F;
    if (node.priority) row[kPriority] = static_cast<float>(*node.priority) / 10.0F;
    row[kRecency] = Recency(node.created_at, now);
    for (std::size_t side = 0; side < kSides; ++side) {
      row[kDegrees + side] = std::log1p(static_cast<float>(neighbourhood.degrees[i][side])) / most;
    }
    if (!node.label.empty()) row[kLabel + Hash(node.label) % kLabelBuckets] = 1.0F;
    AddText(node.text, row);
    Normalize(row);
  }
  return features;
}

}  // namespace seedcore::graph
