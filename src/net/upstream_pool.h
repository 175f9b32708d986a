#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "base/env.h"
#include "net/asio_internal.h"
#include "net/upstream_line.h"

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

/// Whether the server has neither closed the connection nor sent what nobody asked for.
[[nodiscard]] bool IsQuiet(LoopSocket& socket);

/// What a loop looks after, from UpstreamPool::Watch to its own end. Only on that loop's thread.
class Watched : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void Tick(Instant now) = 0;
  /// The loop is about to end.
  virtual void Stop() = 0;

 protected:
  ~Watched() = default;
};

/// Kept connections of one loop to the servers it forwards to, and what is on its way to them. Only on that loop's
/// thread.
class UpstreamPool {
 public:
  /// The connection used last, if the server has not closed it meanwhile; null when there is none.
  [[nodiscard]] std::unique_ptr<UpstreamConnection> Take(std::uint64_t upstream);
  /// For the next request. Dropped when enough are kept.
  void Keep(std::uint64_t upstream, std::unique_ptr<UpstreamConnection> connection, Instant now);
  /// Where a request to `upstream` that is answered at once is put, with others; null: it goes alone.
  [[nodiscard]] std::shared_ptr<UpstreamLine> Line(IoLoop& loop, Upstream& upstream, std::size_t max_response_bytes);
  void Watch(Watched& watched) { watched_.push_back(watched); }
  /// Closes what was not used for a while.
  void Tick(Instant now);
  void Stop();

 private:
  std::unordered_map<std::uint64_t, std::vector<std::unique_ptr<UpstreamConnection>>> idle_;
  struct OneLine {
    std::shared_ptr<UpstreamLine> line;
    Instant opened;  // or tried to
  };
  std::unordered_map<std::uint64_t, OneLine> lines_;
  boost::intrusive::list<Watched, boost::intrusive::constant_time_size<false>> watched_;
};

}  // namespace seedcore::net
