#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <nanobind/nanobind.h>

#include "base/json.h"
#include "base/result.h"

/// What every part of the module needs to speak to Python.
namespace seedcore::python {

namespace nb = nanobind;

/// A Result's error on its way into Python, where it is seedcore._core.EngineError.
class EngineError : public std::runtime_error {
 public:
  explicit EngineError(const Error& error) : std::runtime_error(ToString(error)) {}
};

template <class T>
T ValueOrThrow(Result<T> result) {
  if (!result) throw EngineError(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline std::string ToText(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }
inline nb::bytes ToBytes(std::string_view text) { return nb::bytes(text.data(), text.size()); }

inline json::object ParseObject(const std::string& text) {
  auto value = ParseJson(text);
  if (!value) throw EngineError(value.error());
  if (!value->is_object()) throw EngineError({ErrorCode::kInvalidArgument, "expected a JSON object", "user_config"});
  return std::move(value->get_object());
}

/// `drain` runs when the interpreter ends, unless `what` has been forgotten before: threads of the engine must have
/// ended by then, for one that waits for the GIL then never gets it. Without the GIL, any thread.
void DrainAtExit(const void* what, std::function<void()> drain);
void ForgetAtExit(const void* what);

/// Adds the class DispatchHost to the module.
void BindDispatchHost(nb::module_& module);
/// Adds the class OrganHost to the module.
void BindOrganHost(nb::module_& module);

}  // namespace seedcore::python
