#include "net/gzip.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <zlib.h>

#include "base/check.h"
#include "base/strings.h"
#include "net/http.h"

namespace seedcore::net {
namespace {

constexpr int kGzipWindow = 15 + 16;  // 32 KiB window; +16 selects the gzip wrapper
constexpr int kMemoryLevel = 8;
constexpr std::size_t kChunk = 16 * 1024;

// zlib wants non-const input that it does not write to.
Bytef* Input(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

/// Setting up a compressor takes a quarter of a megabyte, so each thread keeps one.
class Deflater {
 public:
  Deflater() {
    const int status = deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY);
    if (status != Z_OK) throw std::bad_alloc();
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::string Run(std::string_view text) {
    deflateReset(&stream_);
    std::string out(deflateBound(&stream_, text.size()), '\0');
    stream_.next_in = Input(text);
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int status = deflate(&stream_, Z_FINISH);
    SEEDCORE_CHECK(status == Z_STREAM_END, "deflateBound() leaves room for everything");
    out.resize(stream_.total_out);
    return out;
  }

 private:
  z_stream stream_{};
};

class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream& Stream() { return stream_; }

 private:
  z_stream stream_{};
};

}  // namespace

std::string Gzip(std::string_view text) {
  SEEDCORE_CHECK(text.size() < (1ULL << 31U), "responses are far smaller than 2 GiB");
  thread_local Deflater deflater;
  return deflater.Run(text);
}

Result<std::string> Gunzip(std::string_view compressed, std::size_t max_bytes) {
  Inflater inflater;
  z_stream& stream = inflater.Stream();
  stream.next_in = Input(compressed);
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  std::array<char, kChunk> chunk{};
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END) return Fail(ErrorCode::kMalformed, "the gzip data is damaged");
    const std::size_t produced = chunk.size() - stream.avail_out;
    if (out.size() + produced > max_bytes) {
      return Fail(ErrorCode::kPayloadTooLarge, fmt::format("the decompressed body is larger than {} bytes", max_bytes));
    }
    out.append(chunk.data(), produced);
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) return out;
      inflateReset(&stream);
    } else if (stream.avail_in == 0 && produced < chunk.size()) {
      return Fail(ErrorCode::kMalformed, "the gzip data is cut off");
    }
  }
}

namespace {

/// The part of `text` before `separator`; `text` keeps what follows it.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  if (end == std::string_view::npos) return std::exchange(text, {});
  const std::string_view part = text.substr(0, end);
  text = text.substr(end + 1);
  return part;
}

}  // namespace

bool AcceptsGzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    std::string_view quality = TakeUntil(accept_encoding, ',');
    const std::string_view coding = Trim(TakeUntil(quality, ';'));
    if (!EqualsIgnoreCase(coding, "gzip") && coding != "*") continue;
    quality = Trim(quality);
    if (!quality.starts_with("q=") && !quality.starts_with("Q=")) return true;
    double value = 0;
    const auto parsed = std::from_chars(quality.data() + 2, quality.data() + quality.size(), value);
    return parsed.ec == std::errc{} && value > 0;
  }
  return false;
}

bool IsCompressible(std::string_view content_type) {
  const std::string_view type = Trim(content_type.substr(0, content_type.find(';')));
  constexpr std::array<std::string_view, 6> kTypes = {"application/json",         "application/javascript",
                                                      "application/yaml",         "image/svg+xml",
                                                      "application/openapi+json", "application/problem+json"};
  if (type == "text/event-stream") return false;  // events must not wait in a compressor
  return type.starts_with("text/") || std::ranges::find(kTypes, type) != kTypes.end();
}

}  // namespace seedcore::net
