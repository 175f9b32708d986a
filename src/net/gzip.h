#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seedcore::net {

/// gzip (RFC 1952) at the fastest level. Any thread; each thread keeps its compressor.
[[nodiscard]] std::string Gzip(std::string_view text);
/// Concatenated members are one text. kMalformed for damaged or cut-off data; kPayloadTooLarge as soon as the result
/// would be larger than `max_bytes`, before it takes the memory.
[[nodiscard]] Result<std::string> Gunzip(std::string_view compressed, std::size_t max_bytes);

/// Whether an Accept-Encoding header allows gzip (a quality of zero forbids it).
[[nodiscard]] bool AcceptsGzip(std::string_view accept_encoding);
/// Text-like content types, for which compression pays.
[[nodiscard]] bool IsCompressible(std::string_view content_type);

}  // namespace seedcore::net
