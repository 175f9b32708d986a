#include "base/secret.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <sys/random.h>

#include "base/check.h"

namespace seedcore {

std::string NewSecret() {
  constexpr std::size_t kBytes = 32;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, kBytes> bytes{};
  ssize_t got = 0;
  do {
    got = ::getrandom(bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  SEEDCORE_CHECK(got == static_cast<ssize_t>(bytes.size()), "the kernel gives up to 256 bytes at once");
  std::string text;
  text.reserve(2 * kBytes);
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

}  // namespace seedcore
