#include "net/upstream_pool.h"

#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <utility>

#include "net/io_loop_internal.h"
#include "net/upstreams.h"

namespace seedcore::net {
namespace {

/// Shorter than the idle time of our own servers, so that the closing is mostly ours.
constexpr std::chrono::seconds kLongestIdle{30};
constexpr std::size_t kKeptPerUpstream = 128;
/// Between two lines to the same server, whatever becomes of the first.
constexpr std::chrono::seconds kLinePause{1};

}  // namespace

bool IsQuiet(LoopSocket& socket) {
  char byte = 0;
  const auto size = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

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

std::shared_ptr<UpstreamLine> UpstreamPool::Line(IoLoop& loop, Upstream& upstream, std::size_t max_response_bytes) {
  const Instant now = loop.CoarseNow();
  const auto [entry, is_first] = lines_.try_emplace(upstream.key);
  auto& [line, opened] = entry->second;
  const bool is_there = line && !line->IsBroken();
  if (!is_there && (is_first || now - opened >= kLinePause)) {
    line = UpstreamLine::Open(loop, upstream, max_response_bytes);
    opened = now;
  }
  return line && line->Takes(now) ? line : nullptr;
}

void UpstreamPool::Tick(Instant now) {
  for (Watched& watched : watched_) watched.Tick(now);
  for (auto& [upstream, kept] : idle_) {
    std::erase_if(kept, [now](const auto& connection) { return now - connection->idle_since > kLongestIdle; });
  }
  std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
  std::erase_if(lines_, [now](const auto& entry) {
    const auto& [line, opened] = entry.second;
    if (!line || line->IsBroken()) return now - opened >= kLinePause;
    if (!line->IsUnused(now - kLongestIdle)) return false;
    line->Break("unused");
    return true;
  });
}

void UpstreamPool::Stop() {
  // What waits on a line goes on at once, and may look for another one.
  std::vector<std::shared_ptr<UpstreamLine>> lines;
  for (const auto& [upstream, known] : lines_) {
    if (known.line) lines.push_back(known.line);
  }
  for (const auto& line : lines) line->Break("the gateway ends");
  for (Watched& watched : watched_) watched.Stop();
}

}  // namespace seedcore::net
