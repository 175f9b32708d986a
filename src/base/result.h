#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace seedcore {

/// What went wrong, in terms a caller can act on. Each code has one HTTP status and one answer to "may the same
/// call succeed later?", both in `result.cc`.
enum class ErrorCode {
  kMalformed,          ///< the text is not what the format allows (JSON, HTTP, YAML)
  kInvalidArgument,    ///< well-formed, but a value is missing, of the wrong type or out of range
  kUnauthenticated,    ///< no credentials, or wrong ones
  kPermissionDenied,   ///< known caller, not allowed
  kNotFound,           ///< the thing named does not exist
  kMethodNotAllowed,   ///< the path exists, the HTTP method does not
  kRequestTimeout,     ///< the peer took too long to send its request
  kConflict,           ///< the state of the thing forbids the call, or an idempotency key was used for other content
  kAmbiguous,          ///< a short id matches more than one thing
  kLeaseLost,          ///< another worker holds a newer fencing token; the result of this one is refused
  kPayloadTooLarge,    ///< a configured size limit was hit
  kUnsupportedMedia,   ///< a content type or encoding that is not understood
  kResourceExhausted,  ///< a bounded queue or quota is full; try again later
  kUnavailable,        ///< a part that is needed is not configured, not started or not reachable
  kDeadlineExceeded,   ///< the caller's deadline passed
  kCancelled,          ///< the caller, or the user, cancelled the work
  kCorrupt,            ///< stored data is damaged or from a newer schema
  kNonRetryable,       ///< the work itself failed in a way that no retry can mend
  kInternal,           ///< a fault of ours, or one we cannot name better
};

/// An expected failure. `path` names the JSON path, setting or file the message is about; empty when there is none.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string path;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// snake_case name used in JSON, logs and metrics, for example "invalid_argument".
[[nodiscard]] std::string_view ToString(ErrorCode code);
/// Inverse of ToString; kInternal for an unknown name.
[[nodiscard]] ErrorCode ErrorCodeFromString(std::string_view name);
/// The HTTP status every service answers this code with.
[[nodiscard]] int HttpStatus(ErrorCode code);
/// The code a client assumes for a bare HTTP status without an error body.
[[nodiscard]] ErrorCode ErrorCodeFromHttpStatus(int status);
/// Whether repeating the same call later can succeed.
[[nodiscard]] bool IsRetryable(ErrorCode code);
/// "code: message (path)", for logs and the command line.
[[nodiscard]] std::string ToString(const Error& error);

[[nodiscard]] inline std::unexpected<Error> Fail(ErrorCode code, std::string message, std::string path = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(path)});
}

}  // namespace seedcore

// A declaration cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define SEEDCORE_INTERNAL_CONCAT2(a, b) a##b
#define SEEDCORE_INTERNAL_CONCAT(a, b) SEEDCORE_INTERNAL_CONCAT2(a, b)

/// Returns the error of `expression` (a Result) from the enclosing function, if it has one.
#define SEEDCORE_RETURN_IF_ERROR(expression)                      \
  do {                                                            \
    if (auto seedcore_status = (expression); !seedcore_status) {  \
      return std::unexpected(std::move(seedcore_status).error()); \
    }                                                             \
  } while (false)

/// `SEEDCORE_ASSIGN_OR_RETURN(auto x, F());` binds the value of F() or returns its error.
#define SEEDCORE_ASSIGN_OR_RETURN(declaration, expression) \
  SEEDCORE_INTERNAL_ASSIGN_OR_RETURN(SEEDCORE_INTERNAL_CONCAT(seedcore_result_, __LINE__), declaration, expression)
#define SEEDCORE_INTERNAL_ASSIGN_OR_RETURN(temporary, declaration, expression) \
  auto temporary = (expression);                                               \
  if (!temporary) return std::unexpected(std::move(temporary).error());        \
  declaration = std::move(*temporary)
// NOLINTEND(bugprone-macro-parentheses)
