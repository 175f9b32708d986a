#include "completion.h"

#include <pythread.h>
#include <utility>

namespace seedcore::python {

bool InterpreterIsAlive() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsInitialized() != 0 && Py_IsFinalizing() == 0;
#else
  return Py_IsInitialized() != 0 && _Py_IsFinalizing() == 0;
#endif
}

Completion::Completion(const nb::object& loop)
    : loop_(loop.inc_ref().ptr()),
      future_(loop.attr("create_future")().release().ptr()),
      loop_thread_(PyThread_get_thread_ident()) {}

Completion::~Completion() {
  if (!InterpreterIsAlive()) return;  // the references go with the process
  const nb::gil_scoped_acquire gil;
  nb::steal(future_).reset();
  nb::steal(loop_).reset();
}

void Completion::Resolve(const nb::object& value) {
  const nb::object future = nb::borrow(future_);
  try {
    if (PyThread_get_thread_ident() == loop_thread_) {
      if (!nb::cast<bool>(future.attr("done")())) future.attr("set_result")(value);
      return;
    }
    static const char kSetResult[] = "_set_result";
    nb::borrow(loop_).attr("call_soon_threadsafe")(nb::module_::import_("seedcore._callbacks").attr(kSetResult), future,
                                                   value);
  } catch (nb::python_error& error) {
    // The loop was closed while the engine worked: nobody waits any more.
    if (!error.matches(PyExc_RuntimeError)) error.discard_as_unraisable("seedcore._core");
  }
}

void WakeSlot::Wake() {
  std::unique_ptr<Completion> waiter;
  {
    const std::scoped_lock lock(mutex_);
    if (!waiter_) {
      signaled_ = true;
      return;
    }
    waiter = std::move(waiter_);
  }
  if (!InterpreterIsAlive()) return;
  const nb::gil_scoped_acquire gil;
  waiter->Resolve(nb::none());
}

nb::object WakeSlot::Wait(const nb::object& loop) {
  auto waiter = std::make_unique<Completion>(loop);
  nb::object future = waiter->future();
  {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(signaled_, false)) {
      waiter.swap(waiter_);  // one consumer: an earlier waiter was given up
      return future;
    }
  }
  waiter->Resolve(nb::none());
  return future;
}

}  // namespace seedcore::python
