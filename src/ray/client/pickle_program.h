#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seedcore::ray {

/// What reading one pickle may cost at most. A node takes about 100 bytes of memory.
struct PickleLimits {
  std::size_t max_bytes = 64 * 1024 * 1024;  ///< of the pickle, and of all text and bytes in the value read from it
  std::size_t max_nodes = 1'000'000;         ///< values, counted once more for every further place that refers to them
  std::size_t max_memo = 1'000'000;          ///< values the pickle names for later reference
};

/// What to do with opcodes that stand for classes and objects.
enum class PickleObjects {
  kRefuse,  ///< an error that names the opcode
  kInert,   ///< kept as a description, nothing is looked up or called; for reading what an exception says
};

using PickleId = std::uint32_t;

/// One value of a pickle. Lists and dicts may be referred to from several places, also from inside themselves.
struct PickleNode {
  enum class Kind {
    kNone,
    kBool,    ///< `number` is 0 or 1
    kInt,     ///< `number`
    kUint,    ///< `number` as its 64 bits without a sign: beyond 2^63 - 1
    kFloat,   ///< `real`
    kText,    ///< `text`, UTF-8
    kBytes,   ///< `text`
    kList,    ///< `items`
    kTuple,   ///< `items`
    kDict,    ///< `items`: key, value, key, value, ..
    kGlobal,  ///< only kInert: `text` is "module.name"
    kObject,  ///< only kInert: `items` is what is called and its arguments, then states; an object out of a stored
              ///< reference has none
  };
  Kind kind = Kind::kNone;
  std::int64_t number = 0;
  double real = 0.0;
  std::string text;
  std::vector<PickleId> items;
};

/// The values a pickle describes.
struct PickleGraph {
  std::vector<PickleNode> nodes;
  PickleId root = 0;
  [[nodiscard]] const PickleNode& operator[](PickleId id) const { return nodes[id]; }
};

/// Runs the pickle, protocols 0 to 5, without ever importing, calling or allocating beyond `limits`. kMalformed for a
/// damaged pickle, kInvalidArgument for what `objects` refuses and for whole numbers beyond 64 bits, kPayloadTooLarge
/// when a limit is hit. Pure; any thread.
[[nodiscard]] Result<PickleGraph> RunPickle(std::string_view pickle, const PickleLimits& limits, PickleObjects objects);

}  // namespace seedcore::ray
