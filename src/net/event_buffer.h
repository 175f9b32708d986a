#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "net/http.h"

namespace seedcore::net {

/// The bounded buffer between whoever sends events and the connection that writes them. Thread-safe.
class EventBuffer final : public EventStream {
 public:
  /// `wake` is called, from any thread, when the connection has something to look at: the first unsent event, or the
  /// close.
  EventBuffer(std::size_t max_bytes, std::function<void()> wake) : max_bytes_(max_bytes), wake_(std::move(wake)) {}

  bool Send(std::string_view event, std::string_view data, std::string_view id) override;
  void Close() override;
  void OnClosed(std::function<void()> callback) override;
  bool HasRoom() override;
  void OnRoom(std::function<void()> callback) override;

  /// Appends `lines`, which are text of an event stream already and end with a line break. False as for Send.
  bool SendLines(std::string_view lines);

  /// For the connection: takes all unsent text, and calls the OnRoom callback, here. False when the stream is closed
  /// and nothing is left to write.
  [[nodiscard]] bool Take(std::string& text);
  /// A comment, which keeps proxies from thinking the connection dead. Nothing when events wait already.
  void Heartbeat();
  /// The connection is gone: further sends fail, and the OnClosed callback runs, here.
  void Disconnected();
  /// Whether the client was too slow: what is unsent is dropped and the connection is cut.
  [[nodiscard]] bool Overflowed() const;

 private:
  const std::size_t max_bytes_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;  // guards everything below
  std::string unsent_;
  bool closed_ = false;
  bool overflowed_ = false;
  bool disconnected_ = false;
  std::function<void()> on_closed_;
  std::function<void()> on_room_;
};

}  // namespace seedcore::net
