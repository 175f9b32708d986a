#include "graph/aggregation.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/check.h"
#include "base/json.h"

namespace seedcore::graph {
namespace {

constexpr std::uintmax_t kMaxFile = 256U << 20U;

Result<void> ReadRow(const json::value& value, const std::string& path, std::vector<float>& out) {
  if (!value.is_array() || value.get_array().size() != kDims) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected {} numbers", kDims), path);
  }
  for (const json::value& number : value.get_array()) {
    const auto x = number.is_number() ? static_cast<float>(JsonToDouble(number)) : NAN;
    if (!std::isfinite(x)) return Fail(ErrorCode::kInvalidArgument, "expected a finite number", path);
    out.push_back(x);
  }
  return {};
}

Result<Matrix> ReadMatrix(const json::object& layer, const char* name, const std::string& path) {
  const json::value* const rows = layer.if_contains(name);
  const std::string here = fmt::format("{}.{}", path, name);
  if (rows == nullptr || !rows->is_array() || rows->get_array().size() != kDims) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected {} rows of {} numbers", kDims, kDims), here);
  }
  Matrix out;
  out.reserve(kDims * kDims);
  for (std::size_t i = 0; i < kDims; ++i) {
    SEEDCORE_RETURN_IF_ERROR(ReadRow(rows->get_array()[i], fmt::format("{}[{}]", here, i), out));
  }
  return out;
}

Result<Weights> ReadWeights(const json::value& file, int layers) {
  if (!file.is_object()) return Fail(ErrorCode::kInvalidArgument, "expected an object");
  const json::object& object = file.get_object();
  const json::value* const version = object.if_contains("features");
  if (version == nullptr || *version != kFeatureVersion) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the weights are not for features of version {}", kFeatureVersion), "features");
  }
  const json::value* const rows = object.if_contains("layers");
  if (rows == nullptr || !rows->is_array() || rows->get_array().size() != static_cast<std::size_t>(layers)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected {} layers, as graph.layers says", layers), "layers");
  }
  Weights weights;
  for (std::size_t i = 0; i < rows->get_array().size(); ++i) {
    const json::value& row = rows->get_array()[i];
    const std::string path = fmt::format("layers[{}]", i);
    if (!row.is_object()) return Fail(ErrorCode::kInvalidArgument, "expected an object", path);
    Layer& layer = weights.layers.emplace_back();
    SEEDCORE_ASSIGN_OR_RETURN(layer.self, ReadMatrix(row.get_object(), "self", path));
    SEEDCORE_ASSIGN_OR_RETURN(layer.neighbour, ReadMatrix(row.get_object(), "neighbour", path));
    const json::value* const bias = row.get_object().if_contains("bias");
    SEEDCORE_RETURN_IF_ERROR(ReadRow(bias != nullptr ? *bias : json::value(), path + ".bias", layer.bias));
  }
  return weights;
}

void AddMean(const Matrix& in, std::span<const std::uint32_t> neighbours, std::span<float> mean) {
  std::ranges::fill(mean, 0.0F);
  if (neighbours.empty()) return;
  for (const std::uint32_t u : neighbours) {
    const float* const row = in.data() + u * kDims;
    for (std::size_t d = 0; d < kDims; ++d) mean[d] += row[d];
  }
  const float scale = 1.0F / static_cast<float>(neighbours.size());
  for (float& x : mean) x *= scale;
}

/// out = ReLU(self * own + neighbour * mean + bias)
void Apply(const Layer& layer, std::span<const float> own, std::span<const float> mean, std::span<float> out) {
  for (std::size_t i = 0; i < kDims; ++i) {
    const float* const self = layer.self.data() + i * kDims;
    const float* const neighbour = layer.neighbour.data() + i * kDims;
    float sum = layer.bias[i];
    for (std::size_t d = 0; d < kDims; ++d) sum += self[d] * own[d] + neighbour[d] * mean[d];
    out[i] = std::max(0.0F, sum);
  }
}

}  // namespace

Result<Weights> LoadWeights(const std::filesystem::path& path, int layers) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return Fail(ErrorCode::kNotFound, fmt::format("cannot read the weights: {}", error.message()), path);
  if (size > kMaxFile) return Fail(ErrorCode::kPayloadTooLarge, "the weights are larger than 256 MiB", path);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Fail(ErrorCode::kNotFound, "cannot read the weights", path);
  const auto named = [&](Error bad) {
    bad.message = fmt::format("weights {}: {}", path.string(), bad.message);
    return std::unexpected(std::move(bad));
  };
  const auto parsed = ParseJson(text.view());
  if (!parsed) return named(parsed.error());
  auto weights = ReadWeights(*parsed, layers);
  if (!weights) return named(weights.error());
  weights->hash = fmt::format("{:016x}", Hash(text.view()));
  return weights;
}

Matrix Aggregate(Matrix features, const Csr& csr, int rounds, const Weights& weights) {
  SEEDCORE_CHECK(weights.layers.empty() || weights.layers.size() == static_cast<std::size_t>(rounds),
                 "LoadWeights refuses another number of layers");
  SEEDCORE_CHECK(features.size() + kDims == csr.offsets.size() * kDims, "a row of both for every node");
  Matrix next(features.size());
  std::array<float, kDims> mean{};
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t v = 0; v + 1 < csr.offsets.size(); ++v) {
      const std::span<const float> own = std::span<const float>(features).subspan(v * kDims, kDims);
      const std::span<float> out = std::span(next).subspan(v * kDims, kDims);
      AddMean(features, csr.Row(v), mean);
      if (weights.layers.empty()) {
        for (std::size_t d = 0; d < kDims; ++d) out[d] = std::max(0.0F, 0.5F * own[d] + 0.5F * mean[d]);
      } else {
        Apply(weights.layers[static_cast<std::size_t>(round)], own, mean, out);
      }
      Normalize(out);
    }
    std::swap(features, next);
  }
  return features;
}

}  // namespace seedcore::graph
