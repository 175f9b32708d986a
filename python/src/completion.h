#pragma once

#include <memory>
#include <mutex>

#include <nanobind/nanobind.h>

/// From threads of the engine back into an asyncio loop. Nothing here needs the GIL to be held by the caller, except
/// where it says so.
namespace seedcore::python {

namespace nb = nanobind;

/// A future of one loop that is resolved once, from any thread. May be destroyed without the GIL and after the
/// interpreter has begun to end. A future that was cancelled meanwhile is left alone; so is one whose loop is closed.
class Completion {
 public:
  /// With the GIL held, on the loop's thread.
  explicit Completion(const nb::object& loop);
  ~Completion();
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  /// With the GIL held.
  [[nodiscard]] nb::object future() const { return nb::borrow(future_); }
  /// With the GIL held. `value` becomes the result.
  void Resolve(const nb::object& value);

 private:
  PyObject* loop_;  // raw: a reference counted without the GIL would corrupt the count
  PyObject* future_;
  const unsigned long loop_thread_;
};

/// Whether Python code may still be run: not while the interpreter ends.
[[nodiscard]] bool InterpreterIsAlive();

/// "There is something to take" from the engine to whoever waits for it, without losing a signal that comes first.
class WakeSlot {
 public:
  /// Any thread, without the GIL.
  void Wake();
  /// With the GIL held: a future that is done when something was signaled since the last Wait, or will be.
  [[nodiscard]] nb::object Wait(const nb::object& loop);

 private:
  std::mutex mutex_;  // guards both; never held while the GIL is waited for
  bool signaled_ = false;
  std::unique_ptr<Completion> waiter_;
};

}  // namespace seedcore::python
