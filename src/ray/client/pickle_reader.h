#pragma once

#include <string_view>

#include "base/result.h"
#include "ray/client/pickle_program.h"
#include "ray/client/py_value.h"

namespace seedcore::ray {

/// Reads a pickle of plain data, protocols 0 to 5, out of an untrusted source: nothing is imported or called, classes
/// and objects are an error that names the opcode and the class. A bytearray is read as bytes, a value referred to
/// several times is copied, dict keys that are None, numbers or truth values become text as in Python's json.dumps.
/// Errors as RunPickle's, and kInvalidArgument for a value that contains itself or is nested deeper than kMaxPyDepth.
[[nodiscard]] Result<PyValue> ReadPickle(std::string_view pickle, const PickleLimits& limits);

/// The plain value below `id` of a graph that was run before.
[[nodiscard]] Result<PyValue> ReadPlain(const PickleGraph& graph, PickleId id, const PickleLimits& limits);

}  // namespace seedcore::ray
