#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/predicate.h"

namespace seedcore::coordinator {

enum class Op : std::uint8_t {
  kConstant,  ///< payload: index into constants
  kSlot,      ///< payload: slot
  kAnd,       ///< two or more operands
  kOr,
  kNot,
  kNegate,
  kPlus,
  kArithmetic,   ///< payload: BinaryOp
  kCompare,      ///< payload: index of the first CompareOp; one operand more than operators
  kConditional,  ///< condition, then, else
  kMember,       ///< payload: index into constants, a text
  kSubscript,    ///< value, index
  kSlice,        ///< value, low, high, step
  kList,
  kTuple,
  kDict,  ///< key, value, key, value, ...
};

/// One operation; its operands are `count` indexes into `nodes`, at `operands[first]`.
struct Node {
  Op op = Op::kConstant;
  std::uint32_t payload = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  SourcePosition at;
};

/// The compiled form: a syntax tree in flat arrays, names resolved to slots, constant lists built. Operands come before
/// the node that uses them; the last node is the whole expression.
struct Predicate::Code {
  std::string source;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> operands;
  std::vector<CompareOp> compare_ops;
  std::vector<Value> constants;
  Scratch storage;  ///< owns what `constants` view
};

}  // namespace seedcore::coordinator
