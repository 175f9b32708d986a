#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "net/asio_internal.h"

// Internal to the server.
namespace seedcore::net {

/// A connection to a server that requests are forwarded to, with the buffer that its answers are read into.
struct UpstreamConnection {
  // The buffer is written before it is read. NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  explicit UpstreamConnection(boost::asio::io_context& context) : socket(context) {}

  LoopSocket socket;
  bool reused = false;  ///< it has served a request before: the server may be closing it
  Instant idle_since;
  std::array<char, 16 * 1024> buffer;
};

/// Kept connections of one loop to the servers it forwards to. Only on that loop's thread.
class UpstreamPool {
 public:
  /// The connection used last, if the server has not closed it meanwhile; null when there is none.
  [[nodiscard]] std::unique_ptr<UpstreamConnection> Take(std::uint64_t upstream);
  /// For the next request. Dropped when enough are kept.
  void Keep(std::uint64_t upstream, std::unique_ptr<UpstreamConnection> connection, Instant now);
  /// Closes what was not used for a while.
  void Tick(Instant now);

 private:
  std::unordered_map<std::uint64_t, std::vector<std::unique_ptr<UpstreamConnection>>> idle_;
};

}  // namespace seedcore::net
