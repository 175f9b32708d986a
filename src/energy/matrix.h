#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace seedcore::energy {

/// A dense row-major matrix; `data.size() == rows * cols`.
struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<double> data;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t column_count, double value = 0.0)
      : rows(row_count), cols(column_count), data(row_count * column_count, value) {}

  [[nodiscard]] double& operator()(std::size_t row, std::size_t column) { return data[row * cols + column]; }
  [[nodiscard]] double operator()(std::size_t row, std::size_t column) const { return data[row * cols + column]; }
  [[nodiscard]] std::span<double> Row(std::size_t row) { return {data.data() + row * cols, cols}; }
  [[nodiscard]] std::span<const double> Row(std::size_t row) const { return {data.data() + row * cols, cols}; }
  [[nodiscard]] bool empty() const { return data.empty(); }

  friend bool operator==(const Matrix&, const Matrix&) = default;
};

[[nodiscard]] double Dot(std::span<const double> a, std::span<const double> b);
/// Euclidean norm of all elements (Frobenius norm of a matrix).
[[nodiscard]] double Norm(std::span<const double> values);
/// Largest singular value of a symmetric matrix, by power iteration from a fixed start; relative error below 1e-9
/// unless the two largest eigenvalues agree to that many digits. 0 for an empty matrix.
[[nodiscard]] double SpectralNorm(const Matrix& symmetric);

}  // namespace seedcore::energy
