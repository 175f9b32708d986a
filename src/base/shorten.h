#pragma once

#include <string>
#include <string_view>

namespace seedcore {

/// For messages that quote what a client sent: UTF-8 text as it is, or its first `max_bytes` bytes, cut between
/// characters, and "...".
[[nodiscard]] std::string Shortened(std::string_view text, std::size_t max_bytes);

}  // namespace seedcore
