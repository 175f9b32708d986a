#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ray/client/pickle_reader.h"
#include "ray/client/pickle_writer.h"
#include "ray/client/remote_error.h"

/// Whatever the bytes, the reader answers with a plain value or an error, within its limits; a value it read is written
/// and read back as itself; and an exception is described or refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace seedcore::ray;
  const std::string_view pickle(reinterpret_cast<const char*>(data), size);
  constexpr PickleLimits kLimits{.max_bytes = 1 << 20, .max_nodes = 10'000, .max_memo = 1'000};
  (void)ReadException(pickle);
  const auto value = ReadPickle(pickle, kLimits);
  if (!value) return 0;
  const auto written = WritePickle(*value, std::size_t{1} << 24);
  if (!written) std::abort();
  const auto again = ReadPickle(*written, {.max_bytes = std::size_t{1} << 24});
  if (!again) std::abort();
  // As text, because a NaN is not equal to itself.
  if (seedcore::WriteJson(PyToJson(*again)) != seedcore::WriteJson(PyToJson(*value))) std::abort();
  return 0;
}
