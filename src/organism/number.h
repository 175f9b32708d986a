#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace seedcore::organism {

/// A number of the calculator: an exact fraction of 64-bit integers for as long as that is possible, then a double. So
/// 0.1 + 0.2 is 0.3, 1/3*3 is 1, and 2^200 is approximate and says so. Never NaN or infinite.
class Number {
 public:
  Number() = default;
  explicit Number(std::int64_t integer) : numerator_(integer), approximate_(static_cast<double>(integer)) {}

  /// kNonRetryable when `value` is not finite.
  [[nodiscard]] static Result<Number> Approximate(double value);
  /// Digits with an optional point and an optional exponent, as the lexer found them; exact where it fits.
  [[nodiscard]] static Result<Number> Parse(std::string_view text);

  [[nodiscard]] bool IsExact() const { return exact_; }
  [[nodiscard]] bool IsInteger() const { return exact_ && denominator_ == 1; }
  [[nodiscard]] std::int64_t Numerator() const { return numerator_; }
  [[nodiscard]] std::int64_t Denominator() const { return denominator_; }
  [[nodiscard]] double ToDouble() const { return approximate_; }
  [[nodiscard]] bool IsZero() const { return approximate_ == 0.0; }
  [[nodiscard]] bool IsNegative() const { return approximate_ < 0.0; }

  /// All digits of an integer or of a decimal fraction that ends; otherwise 15 significant digits.
  [[nodiscard]] std::string ToString() const;
  /// Whether ToString shows the value itself rather than a rounding of it.
  [[nodiscard]] bool PrintsExactly() const;

  [[nodiscard]] Number Negated() const;
  [[nodiscard]] Number Abs() const { return IsNegative() ? Negated() : *this; }

  // kNonRetryable: division by zero, a result beyond the range of a double, or one that is not a real number.
  friend Result<Number> Add(const Number& a, const Number& b);
  friend Result<Number> Subtract(const Number& a, const Number& b);
  friend Result<Number> Multiply(const Number& a, const Number& b);
  friend Result<Number> Divide(const Number& a, const Number& b);
  /// a - b * floor(a / b): the sign of `b`.
  friend Result<Number> Modulo(const Number& a, const Number& b);
  friend Result<Number> Power(const Number& base, const Number& exponent);
  friend Result<Number> SquareRoot(const Number& a);
  friend Result<Number> Floor(const Number& a);
  /// To the nearest integer, halves away from zero.
  friend Result<Number> Round(const Number& a);
  /// Exact where both are.
  friend bool Less(const Number& a, const Number& b);

 private:
  __extension__ typedef __int128 Wide;
  static Result<Number> FromWide(Wide numerator, Wide denominator);

  bool exact_ = true;
  std::int64_t numerator_ = 0;
  std::int64_t denominator_ = 1;  // positive; in lowest terms with the numerator
  double approximate_ = 0.0;
};

[[nodiscard]] Result<Number> Add(const Number& a, const Number& b);
[[nodiscard]] Result<Number> Subtract(const Number& a, const Number& b);
[[nodiscard]] Result<Number> Multiply(const Number& a, const Number& b);
[[nodiscard]] Result<Number> Divide(const Number& a, const Number& b);
[[nodiscard]] Result<Number> Modulo(const Number& a, const Number& b);
[[nodiscard]] Result<Number> Power(const Number& base, const Number& exponent);
[[nodiscard]] Result<Number> SquareRoot(const Number& a);
[[nodiscard]] Result<Number> Floor(const Number& a);
[[nodiscard]] Result<Number> Round(const Number& a);
[[nodiscard]] bool Less(const Number& a, const Number& b);

}  // namespace seedcore::organism
