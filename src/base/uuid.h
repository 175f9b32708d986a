#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace seedcore {

/// True for the canonical 36-character lower- or upper-case form.
[[nodiscard]] bool IsUuid(std::string_view text);

/// RFC 9562 version 7: 48 bits of Unix milliseconds, then random bits. Sorts by creation time, so that a B-tree
/// keyed by it is appended to, and a page of the newest tasks is one range scan. Lower case.
[[nodiscard]] std::string MakeUuidV7(std::uint64_t unix_ms, std::uint64_t random_high, std::uint64_t random_low);

}  // namespace seedcore
