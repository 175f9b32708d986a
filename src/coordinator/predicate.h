#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "coordinator/predicate_lexer.h"
#include "coordinator/predicate_value.h"

/// The language of routing rules: Python's expressions without calls, for example
///
///     task.type in ["execute", "health_check"] and (cpu_utilization is None or cpu_utilization < 0.9)
///
/// Literals, names, dotted access, subscripts, slices, and/or/not (which stop as soon as the answer is known), chained
/// comparisons, is, in, + - * / // % **, lists, tuples, dicts, `x if c else y`; None, null, True, true, False, false.
namespace seedcore::coordinator {

/// The names an expression may use. A name's position is the slot its value is found in.
class SymbolTable {
 public:
  /// `names` are plain ("p_fast") or dotted ("task.type").
  explicit SymbolTable(std::vector<std::string> names);

  [[nodiscard]] std::optional<std::uint32_t> Find(std::string_view name) const;
  /// Whether some name begins with `prefix` and a dot.
  [[nodiscard]] bool IsGroup(std::string_view prefix) const;
  [[nodiscard]] std::size_t size() const { return names_.size(); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// "unknown name 'p_fsat'; did you mean 'p_fast'?"
  [[nodiscard]] std::string UnknownName(std::string_view name) const;

 private:
  std::vector<std::string> names_;
};

/// What stopped an evaluation, and where in the expression.
struct EvaluationError {
  Fault fault = Fault::kNone;
  ValueKind left = ValueKind::kNull;
  ValueKind right = ValueKind::kNull;  ///< equal to `left` for an operator with one operand
  SourcePosition at;

  [[nodiscard]] std::string ToString() const;
};

/// A compiled expression. Immutable and cheap to copy; any number of threads may evaluate it at once.
class Predicate {
 public:
  static constexpr std::size_t kMaxSource = 4096;  ///< bytes
  static constexpr std::size_t kMaxNodes = 1000;
  static constexpr std::size_t kMaxDepth = 64;  ///< of brackets and prefix operators, and of the syntax tree

  /// kInvalidArgument, with line and column: no expression of the language, an unknown name, or beyond a limit above.
  [[nodiscard]] static Result<Predicate> Compile(std::string_view source, const SymbolTable& symbols);

  /// The truth of the expression. `slots` has the size of the symbol table it was compiled with. Takes no longer than
  /// Scratch::kSteps allow, does no look-up by name, and allocates only where the expression makes texts or lists.
  [[nodiscard]] std::expected<bool, EvaluationError> Evaluate(std::span<const Value> slots) const;
  /// The value itself, for tests and explanations.
  [[nodiscard]] std::expected<json::value, EvaluationError> EvaluateValue(std::span<const Value> slots) const;

  [[nodiscard]] const std::string& source() const;

  struct Code;

 private:
  explicit Predicate(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  std::shared_ptr<const Code> code_;
};

}  // namespace seedcore::coordinator
