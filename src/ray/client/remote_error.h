#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace seedcore::ray {

/// A Python exception as its pickle describes it. Nothing of it is imported or called.
struct RemoteException {
  std::string type;         ///< class name without its module: "ValueError"
  std::string text;         ///< what str(exception) would say, as far as its arguments tell
  bool is_ray = false;      ///< of Ray itself, not raised by the called method
  bool is_in_call = false;  ///< raised by the called method, that is, the cause of a RayTaskError
};

/// kMalformed or kPayloadTooLarge when `pickle` is not an exception that can be read.
[[nodiscard]] Result<RemoteException> ReadException(std::string_view pickle);

/// The error a caller gets for a pickled exception; of kInternal when the pickle itself cannot be read. The message is
/// "TYPE: TEXT".
///   raised by the method                       kNonRetryable
///   GetTimeoutError                            kDeadlineExceeded
///   TaskCancelledError                         kCancelled
///   OutOfMemoryError, PendingCallsLimitExceeded kResourceExhausted
///   actor or worker died, object lost          kUnavailable
///   anything else                              kInvalidArgument
[[nodiscard]] Error ErrorOfException(std::string_view pickle);
[[nodiscard]] Error ErrorOfException(const RemoteException& exception);

}  // namespace seedcore::ray
