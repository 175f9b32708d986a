#include "base/result.h"

#include <array>

#include <fmt/format.h>

namespace seedcore {
namespace {

struct CodeRow {
  ErrorCode code;
  std::string_view name;
  int http_status;
  bool retryable;
};

// One row per code, in the order of the enum; the first row with a status is what that status maps back to.
constexpr std::array kCodes = {
    CodeRow{ErrorCode::kMalformed, "malformed", 400, false},
    CodeRow{ErrorCode::kInvalidArgument, "invalid_argument", 422, false},
    CodeRow{ErrorCode::kUnauthenticated, "unauthenticated", 401, false},
    CodeRow{ErrorCode::kPermissionDenied, "permission_denied", 403, false},
    CodeRow{ErrorCode::kNotFound, "not_found", 404, false},
    CodeRow{ErrorCode::kMethodNotAllowed, "method_not_allowed", 405, false},
    CodeRow{ErrorCode::kRequestTimeout, "request_timeout", 408, true},
    CodeRow{ErrorCode::kConflict, "conflict", 409, false},
    CodeRow{ErrorCode::kAmbiguous, "ambiguous", 409, false},
    CodeRow{ErrorCode::kLeaseLost, "lease_lost", 409, false},
    CodeRow{ErrorCode::kPayloadTooLarge, "payload_too_large", 413, false},
    CodeRow{ErrorCode::kUnsupportedMedia, "unsupported_media", 415, false},
    CodeRow{ErrorCode::kResourceExhausted, "resource_exhausted", 429, true},
    CodeRow{ErrorCode::kUnavailable, "unavailable", 503, true},
    CodeRow{ErrorCode::kDeadlineExceeded, "deadline_exceeded", 504, true},
    CodeRow{ErrorCode::kCancelled, "cancelled", 499, false},
    CodeRow{ErrorCode::kCorrupt, "corrupt", 500, false},
    CodeRow{ErrorCode::kNonRetryable, "non_retryable", 422, false},
    CodeRow{ErrorCode::kInternal, "internal", 500, true},
};

constexpr bool InEnumOrder() {
  for (std::size_t i = 0; i < kCodes.size(); ++i) {
    if (static_cast<std::size_t>(kCodes[i].code) != i) return false;
  }
  return true;
}
static_assert(InEnumOrder(), "Row() indexes kCodes by the enum value");

const CodeRow& Row(ErrorCode code) { return kCodes[static_cast<std::size_t>(code)]; }

}  // namespace

std::string_view ToString(ErrorCode code) { return Row(code).name; }

ErrorCode ErrorCodeFromString(std::string_view name) {
  for (const CodeRow& row : kCodes) {
    if (row.name == name) return row.code;
  }
  return ErrorCode::kInternal;
}

int HttpStatus(ErrorCode code) { return Row(code).http_status; }

ErrorCode ErrorCodeFromHttpStatus(int status) {
  if (status == 500) return ErrorCode::kInternal;
  for (const CodeRow& row : kCodes) {
    if (row.http_status == status) return row.code;
  }
  if (status >= 400 && status < 500) return ErrorCode::kInvalidArgument;
  return status >= 502 ? ErrorCode::kUnavailable : ErrorCode::kInternal;
}

bool IsRetryable(ErrorCode code) { return Row(code).retryable; }

std::string ToString(const Error& error) {
  if (error.path.empty()) return fmt::format("{}: {}", ToString(error.code), error.message);
  return fmt::format("{}: {} ({})", ToString(error.code), error.message, error.path);
}

}  // namespace seedcore
