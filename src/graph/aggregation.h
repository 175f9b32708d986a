#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "graph/features.h"

namespace seedcore::graph {

/// One layer of GraphSAGE with mean aggregation (Hamilton et al. 2017), kDims to kDims:
/// h'(v) = normalize(ReLU(self * h(v) + neighbour * mean of h(u) over v's neighbours + bias)).
struct Layer {
  Matrix self;       ///< kDims rows
  Matrix neighbour;  ///< kDims rows
  std::vector<float> bias;
};

/// Trained elsewhere, read from a file. Without layers the aggregation has no parameters: `self` and `neighbour` are
/// half the identity and `bias` is 0, so that each round is a step of a lazy random walk followed by normalization, a
/// diffusion of the features as in SGC (Wu et al. 2019) and APPNP (Klicpera et al. 2019).
struct Weights {
  std::vector<Layer> layers;
  std::string hash;  ///< of the file; empty without one
};

/// A JSON object {"features": 1, "layers": [{"self": [[…]], "neighbour": [[…]], "bias": […]}]}. kNotFound: no such
/// file. kMalformed, kInvalidArgument: not such an object, other features, another number of layers, a matrix of
/// another shape, or a number that is not finite; the path says where.
[[nodiscard]] Result<Weights> LoadWeights(const std::filesystem::path& path, int layers);

/// `rounds` times over the whole matrix; with weights their number is that of the layers.
[[nodiscard]] Matrix Aggregate(Matrix features, const Csr& csr, int rounds, const Weights& weights);

}  // namespace seedcore::graph
