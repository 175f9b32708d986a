#include "energy/matrix.h"

#include <algorithm>
#include <cmath>

namespace seedcore::energy {
namespace {

constexpr int kMaxIterations = 2000;
constexpr double kTolerance = 1e-12;

std::vector<double> Multiply(const Matrix& matrix, std::span<const double> vector) {
  std::vector<double> product(matrix.rows);
  for (std::size_t i = 0; i < matrix.rows; ++i) product[i] = Dot(matrix.Row(i), vector);
  return product;
}

}  // namespace

double Dot(std::span<const double> a, std::span<const double> b) {
  // Four sums let the processor overlap the additions; the order is fixed, so the result is too.
  double s0 = 0.0;
  double s1 = 0.0;
  double s2 = 0.0;
  double s3 = 0.0;
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < n; ++i) s0 += a[i] * b[i];
  return (s0 + s1) + (s2 + s3);
}

double Norm(std::span<const double> values) { return std::sqrt(Dot(values, values)); }

double SpectralNorm(const Matrix& symmetric) {
  const std::size_t n = symmetric.rows;
  if (n == 0) return 0.0;
  // A start without symmetries of its own, so that no eigenvector of a usual matrix is orthogonal to it.
  std::vector<double> vector(n);
  for (std::size_t i = 0; i < n; ++i) vector[i] = 1.0 + std::sin(1.0 + 1.7 * static_cast<double>(i)) / 2.0;
  double norm = Norm(vector);
  for (double& value : vector) value /= norm;

  double estimate = 0.0;
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    // ||W v|| of a unit v rises to the largest |eigenvalue|, also when +x and -x are both eigenvalues.
    std::vector<double> next = Multiply(symmetric, vector);
    norm = Norm(next);
    if (norm == 0.0) return estimate;
    for (double& value : next) value /= norm;
    vector = std::move(next);
    if (std::abs(norm - estimate) <= kTolerance * norm) return norm;
    estimate = norm;
  }
  return estimate;
}

}  // namespace seedcore::energy
