#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "net/asio_internal.h"
#include "net/http.h"
#include "net/response_parser.h"
#include "net/wakeup.h"

// Internal to the forwarder.
namespace seedcore::net {

class IoLoop;
class Upstream;

/// A connection of one loop to a server of the same host that many requests are on at once (HTTP/1.1 pipelining): what
/// comes up in one turn of the loop leaves in one write, and answers that have come together are read together. That
/// halves what the kernel costs. Answers come in the order of the requests, so it is for those only that a server
/// answers at once (Execution::kInline); where one takes its time after all, later ones are not put behind it.
/// Only on its loop's thread.
class UpstreamLine : public std::enable_shared_from_this<UpstreamLine> {
 public:
  enum class Outcome {
    kWaiting,
    kAnswered,
    kNotSent,  ///< the server can't have executed it
    kLost,     ///< sent, and then the line ended without an answer
    kBroken,   ///< what came is no answer to it
    kLeft,     ///< it is no longer waited for
  };
  /// A request on the line.
  struct Place {
    Outcome outcome = Outcome::kWaiting;
    Response response;    ///< kAnswered
    std::string problem;  ///< otherwise
    Wakeup over;          ///< notified when there is an outcome
  };

  /// Null where the server has no door for processes of the same host (same_host.h). `max_response_bytes` of each.
  [[nodiscard]] static std::shared_ptr<UpstreamLine> Open(IoLoop& loop, Upstream& upstream,
                                                          std::size_t max_response_bytes);
  /// Use Open.
  UpstreamLine(IoLoop& loop, std::shared_ptr<Upstream> upstream, int fd, std::size_t max_response_bytes);

  /// Whether a further request should be put on it now.
  [[nodiscard]] bool Takes(Instant now) const;
  [[nodiscard]] bool IsBroken() const { return broken_; }
  [[nodiscard]] bool IsUnused(Instant since) const { return places_.empty() && last_used_ < since; }
  /// `message` is a whole request.
  [[nodiscard]] std::shared_ptr<Place> Send(std::string_view message);
  /// The place has had no outcome, and gets none but kLeft.
  void Leave(const std::shared_ptr<Place>& place);
  /// Ends it: what was sent is `of_sent`, the rest kNotSent. Places are told at once, in this call.
  void Break(const std::string& problem, Outcome of_sent = Outcome::kLost);

 private:
  struct Sent {
    std::shared_ptr<Place> place;
    std::uint64_t end = 0;  // of its bytes among all that were put on the line
    Instant since;
  };

  Coroutine Read();
  /// Gives the answers received to those they are for; false when the line has ended over it.
  bool Deliver();
  void Flush();
  void WriteSome();

  IoLoop& loop_;
  const std::shared_ptr<Upstream> upstream_;
  const std::size_t max_response_bytes_;
  LoopSocket socket_;
  std::deque<Sent> places_;  // in the order of their answers
  bool broken_ = false;
  Instant last_used_;

  std::string out_;  // not written yet
  std::uint64_t put_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t answered_ = 0;  // the end of what has its answer
  bool flushing_ = false;

  std::optional<ResponseParser> parser_;
  std::vector<char> in_;
  std::size_t begin_ = 0;  // received and not yet parsed: [begin_, end_)
  std::size_t end_ = 0;
};

}  // namespace seedcore::net
