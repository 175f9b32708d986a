#pragma once

#include <cstddef>
#include <cstdint>

namespace seedcore::net {

/// Where in a chunked body a parser stands. Between chunks at least "0\r\n\r\n" is still to come, and Beast 1.81
/// asserts that many bytes when it comes back to a last chunk it has seen in part. So there it is not fed fewer;
/// waiting for them holds up no valid message and no data.
class ChunkPosition {
 public:
  void EnterChunk(std::uint64_t size) { left_ = size; }
  void Read(std::size_t bytes) { left_ -= bytes; }
  /// Whether `available` bytes are too few to go on with.
  [[nodiscard]] bool MustWait(std::size_t available) const { return left_ == 0 && available < kShortestEnd; }

 private:
  static constexpr std::size_t kShortestEnd = 5;
  std::uint64_t left_ = 0;  ///< bytes of the current chunk's data; 0 between chunks
};

}  // namespace seedcore::net
