#include "net/upstream_pool.h"

#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <utility>

namespace seedcore::net {
namespace {

/// Shorter than the idle time of our own servers, so that the closing is mostly ours.
constexpr std::chrono::seconds kLongestIdle{30};
constexpr std::size_t kKeptPerUpstream = 128;

/// Whether the server has neither closed the connection nor sent what nobody asked for.
bool IsQuiet(LoopSocket& socket) {
  char byte = 0;
  const auto size = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

std::unique_ptr<UpstreamConnection> UpstreamPool::Take(std::uint64_t upstream) {
  const auto found = idle_.find(upstream);
  if (found == idle_.end()) return nullptr;
  while (!found->second.empty()) {
    auto connection = std::move(found->second.back());
    found->second.pop_back();
    if (!IsQuiet(connection->socket)) continue;
    connection->reused = true;
    return connection;
  }
  return nullptr;
}

void UpstreamPool::Keep(std::uint64_t upstream, std::unique_ptr<UpstreamConnection> connection, Instant now) {
  auto& kept = idle_[upstream];
  if (kept.size() >= kKeptPerUpstream) return;
  connection->idle_since = now;
  kept.push_back(std::move(connection));
}

void UpstreamPool::Tick(Instant now) {
  for (Watched& watched : watched_) watched.Tick(now);
  for (auto& [upstream, kept] : idle_) {
    std::erase_if(kept, [now](const auto& connection) { return now - connection->idle_since > kLongestIdle; });
  }
  std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
}

void UpstreamPool::Stop() {
  for (Watched& watched : watched_) watched.Stop();
}

}  // namespace seedcore::net
