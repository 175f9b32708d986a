#include "organism/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

namespace seedcore::organism {
namespace {

__extension__ typedef __int128 Wide;

Wide Gcd(Wide a, Wide b) {
  if (a < 0) a = -a;
  while (b != 0) {
    const Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

bool Fits(Wide value) {
  // The minimum is left out, so that negation and absolute value always fit.
  return value <= std::numeric_limits<std::int64_t>::max() && value >= -std::numeric_limits<std::int64_t>::max();
}

/// Power of ten that turns the fraction into an integer; -1 when its decimal expansion does not end.
int DecimalPlaces(std::int64_t denominator) {
  int twos = 0;
  int fives = 0;
  for (; denominator % 2 == 0; denominator /= 2) ++twos;
  for (; denominator % 5 == 0; denominator /= 5) ++fives;
  return denominator == 1 ? std::max(twos, fives) : -1;
}

constexpr int kMaxPrintedPlaces = 18;
/// More digits than any fraction of 64-bit integers prints; one more digit still fits 128 bits.
constexpr Wide kMaxParsed = Wide{1'000'000'000'000'000'000} * 1'000'000'000'000'000'000;

}  // namespace

Result<Number> Number::Approximate(double value) {
  if (std::isnan(value)) return Fail(ErrorCode::kNonRetryable, "the result is not a real number");
  if (std::isinf(value)) return Fail(ErrorCode::kNonRetryable, "overflow: the result is beyond 1.8e308");
  Number number;
  number.exact_ = false;
  number.approximate_ = value;
  return number;
}

Result<Number> Number::FromWide(Wide numerator, Wide denominator) {
  if (denominator < 0) {
    numerator = -numerator;
    denominator = -denominator;
  }
  const Wide divisor = Gcd(numerator, denominator);
  numerator /= divisor;
  denominator /= divisor;
  if (!Fits(numerator) || !Fits(denominator)) {
    return Approximate(static_cast<double>(numerator) / static_cast<double>(denominator));
  }
  Number number;
  number.numerator_ = static_cast<std::int64_t>(numerator);
  number.denominator_ = static_cast<std::int64_t>(denominator);
  number.approximate_ = static_cast<double>(number.numerator_) / static_cast<double>(number.denominator_);
  return number;
}

Result<Number> Number::Parse(std::string_view text) {
  Wide numerator = 0;
  Wide denominator = 1;
  bool after_point = false;
  std::size_t i = 0;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      after_point = true;
      continue;
    }
    numerator = numerator * 10 + (text[i] - '0');
    if (after_point) denominator *= 10;
    if (numerator >= kMaxParsed || !Fits(denominator)) break;
  }
  if (i == text.size()) return FromWide(numerator, denominator);
  // A small exponent keeps the number exact; everything else is a double.
  int exponent = 0;
  if (text[i] == 'e' || text[i] == 'E') {
    std::string_view digits = text.substr(i + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error == std::errc() && std::abs(exponent) <= kMaxPrintedPlaces && Fits(numerator)) {
      Wide scale = 1;
      for (int k = 0; k < std::abs(exponent); ++k) scale *= 10;
      return exponent >= 0 ? FromWide(numerator * scale, denominator) : FromWide(numerator, denominator * scale);
    }
  }
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return Fail(ErrorCode::kNonRetryable, fmt::format("{} is beyond what a double can hold", text));
  }
  return Approximate(value);
}

bool Number::PrintsExactly() const {
  if (!exact_) return false;
  const int places = DecimalPlaces(denominator_);
  return places >= 0 && places <= kMaxPrintedPlaces;
}

std::string Number::ToString() const {
  if (!PrintsExactly()) {
    // Rounding the very largest doubles to 15 digits would carry them past what a double can hold.
    constexpr double kLargest = 1e308;
    return std::abs(approximate_) < kLargest ? fmt::format("{:.15g}", approximate_) : fmt::format("{}", approximate_);
  }
  const int places = DecimalPlaces(denominator_);
  if (places == 0) return std::to_string(numerator_);
  // A denominator of 2^a * 5^b divides 10^places; the scaled numerator needs at most 128 bits.
  Wide scaled = numerator_;
  std::int64_t power = 1;
  for (int i = 0; i < places; ++i) power *= 10;
  scaled = scaled * (power / denominator_);
  const bool negative = scaled < 0;
  if (negative) scaled = -scaled;
  const auto whole = static_cast<std::int64_t>(scaled / power);
  const auto rest = static_cast<std::int64_t>(scaled % power);
  return fmt::format("{}{}.{:0{}}", negative ? "-" : "", whole, rest, places);
}

Number Number::Negated() const {
  Number negated = *this;
  negated.numerator_ = -numerator_;
  negated.approximate_ = -approximate_;
  return negated;
}

Result<Number> Add(const Number& a, const Number& b) {
  if (a.exact_ && b.exact_) {
    // Two products below 2^126 each: their sum fits 128 bits.
    return Number::FromWide(Wide{a.numerator_} * b.denominator_ + Wide{b.numerator_} * a.denominator_,
                            Wide{a.denominator_} * b.denominator_);
  }
  return Number::Approximate(a.approximate_ + b.approximate_);
}

Result<Number> Subtract(const Number& a, const Number& b) { return Add(a, b.Negated()); }

Result<Number> Multiply(const Number& a, const Number& b) {
  if (a.exact_ && b.exact_) {
    return Number::FromWide(Wide{a.numerator_} * b.numerator_, Wide{a.denominator_} * b.denominator_);
  }
  return Number::Approximate(a.approximate_ * b.approximate_);
}

Result<Number> Divide(const Number& a, const Number& b) {
  if (b.IsZero()) return Fail(ErrorCode::kNonRetryable, "division by zero");
  if (a.exact_ && b.exact_) {
    return Number::FromWide(Wide{a.numerator_} * b.denominator_, Wide{a.denominator_} * b.numerator_);
  }
  return Number::Approximate(a.approximate_ / b.approximate_);
}

Result<Number> Floor(const Number& a) {
  if (!a.exact_) return Number::Approximate(std::floor(a.approximate_));
  std::int64_t quotient = a.numerator_ / a.denominator_;
  if (a.numerator_ % a.denominator_ < 0) --quotient;
  return Number(quotient);
}

Result<Number> Round(const Number& a) {
  if (!a.exact_) return Number::Approximate(std::round(a.approximate_));
  const Wide doubled = Wide{a.numerator_} * 2 + (a.numerator_ < 0 ? -a.denominator_ : a.denominator_);
  return Number(static_cast<std::int64_t>(doubled / (Wide{a.denominator_} * 2)));
}

Result<Number> Modulo(const Number& a, const Number& b) {
  if (b.IsZero()) return Fail(ErrorCode::kNonRetryable, "division by zero");
  if (!a.exact_ || !b.exact_) {
    double rest = std::fmod(a.approximate_, b.approximate_);
    if (rest != 0.0 && (rest < 0.0) != (b.approximate_ < 0.0)) rest += b.approximate_;
    return Number::Approximate(rest);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const Number quotient, Divide(a, b));
  SEEDCORE_ASSIGN_OR_RETURN(const Number whole, Floor(quotient));
  SEEDCORE_ASSIGN_OR_RETURN(const Number product, Multiply(b, whole));
  return Subtract(a, product);
}

Result<Number> Power(const Number& base, const Number& exponent) {
  constexpr std::int64_t kMaxExactExponent = 1024;
  if (base.IsZero() && exponent.IsNegative()) return Fail(ErrorCode::kNonRetryable, "division by zero");
  const bool whole = base.exact_ && exponent.IsInteger() && std::abs(exponent.numerator_) <= kMaxExactExponent;
  if (!whole) return Number::Approximate(std::pow(base.approximate_, exponent.approximate_));

  Number result(1);
  Number square = base;
  for (std::int64_t left = std::abs(exponent.numerator_); left > 0; left /= 2) {
    if (left % 2 == 1) {
      SEEDCORE_ASSIGN_OR_RETURN(result, Multiply(result, square));
    }
    if (left > 1) {
      SEEDCORE_ASSIGN_OR_RETURN(square, Multiply(square, square));
    }
    // Once inexact, the library's pow has the smaller error.
    if (!result.exact_ || !square.exact_) {
      return Number::Approximate(std::pow(base.approximate_, exponent.approximate_));
    }
  }
  if (exponent.IsNegative()) return Divide(Number(1), result);
  return result;
}

Result<Number> SquareRoot(const Number& a) {
  if (a.IsNegative()) return Fail(ErrorCode::kNonRetryable, "square root of a negative number");
  const double root = std::sqrt(a.approximate_);
  if (a.exact_) {
    const auto top = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(a.numerator_))));
    const auto bottom = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(a.denominator_))));
    if (Wide{top} * top == a.numerator_ && Wide{bottom} * bottom == a.denominator_) {
      return Number::FromWide(top, bottom);
    }
  }
  return Number::Approximate(root);
}

bool Less(const Number& a, const Number& b) {
  if (a.exact_ && b.exact_) return Wide{a.numerator_} * b.denominator_ < Wide{b.numerator_} * a.denominator_;
  return a.approximate_ < b.approximate_;
}

}  // namespace seedcore::organism
