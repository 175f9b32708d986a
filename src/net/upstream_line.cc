#include "net/upstream_line.h"

#include <cstring>
#include <utility>

#include "net/forward_message.h"
#include "net/io_loop_internal.h"
#include "net/same_host.h"
#include "net/upstream_pool.h"
#include "net/upstreams.h"

namespace seedcore::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// At once on one line; as many as a server answers in one turn of its own.
constexpr std::size_t kMostPlaces = 64;
/// An answer that takes longer did not come at once.
constexpr std::chrono::milliseconds kAtOnce{100};
/// Room for the largest header, and for many answers.
constexpr std::size_t kBuffer = 64 * 1024;

}  // namespace

std::shared_ptr<UpstreamLine> UpstreamLine::Open(IoLoop& loop, Upstream& upstream, std::size_t max_response_bytes) {
  const int fd = ConnectOnSameHost(upstream.address.where);
  if (fd < 0) return nullptr;
  auto line = std::make_shared<UpstreamLine>(loop, upstream.shared_from_this(), fd, max_response_bytes);
  asio::co_spawn(loop.context(), [line] { return line->Read(); }, asio::detached);
  return line;
}

UpstreamLine::UpstreamLine(IoLoop& loop, std::shared_ptr<Upstream> upstream, int fd, std::size_t max_response_bytes)
    : loop_(loop),
      upstream_(std::move(upstream)),
      max_response_bytes_(max_response_bytes),
      socket_(loop.context()),
      last_used_(loop.CoarseNow()),
      in_(kBuffer) {
  error_code ignored;
  socket_.assign({AF_UNIX, 0}, fd, ignored);
  socket_.non_blocking(true, ignored);
  parser_.emplace(false, max_response_bytes_);
}

bool UpstreamLine::Takes(Instant now) const {
  if (broken_ || places_.size() >= kMostPlaces) return false;
  return places_.empty() || now - places_.front().since < kAtOnce;
}

std::shared_ptr<UpstreamLine::Place> UpstreamLine::Send(std::string_view message) {
  last_used_ = loop_.CoarseNow();
  out_ += message;
  put_ += message.size();
  places_.push_back({std::make_shared<Place>(), put_, last_used_});
  // After everything else that is ready in this turn.
  if (!std::exchange(flushing_, true)) {
    asio::post(loop_.context(), [self = shared_from_this()] { self->Flush(); });
  }
  return places_.back().place;
}

void UpstreamLine::Leave(const std::shared_ptr<Place>& place) {
  if (place->outcome != Outcome::kWaiting) return;
  place->outcome = Outcome::kLeft;
  // Its answer will come, and be dropped. Whoever leaves may be in the middle of something.
  asio::post(loop_.context(), [place] { place->over.Notify(); });
}

void UpstreamLine::Flush() {
  if (broken_) return;
  // Nothing is under way: a server may have closed it, and takes nothing in any more.
  if (written_ == answered_ && !IsQuiet(socket_)) return Break("the connection has ended");
  WriteSome();
}

void UpstreamLine::WriteSome() {
  std::size_t begin = 0;
  error_code error;
  while (begin < out_.size() && !error) {
    begin += socket_.write_some(asio::buffer(out_.data() + begin, out_.size() - begin), error);
  }
  written_ += begin;
  out_.erase(0, begin);
  flushing_ = error == asio::error::would_block;
  if (!flushing_) return;  // after another error reading tells what has come of it
  socket_.async_wait(LoopSocket::wait_write, [self = shared_from_this()](error_code failed) {
    if (!failed && !self->broken_) self->WriteSome();
  });
}

Coroutine UpstreamLine::Read() {
  const auto self = shared_from_this();
  while (!broken_) {
    const auto [error, size] =
        co_await socket_.async_read_some(asio::buffer(in_.data() + end_, in_.size() - end_), kAwaitTuple);
    if (broken_) co_return;
    if (error) co_return Break(error == asio::error::eof ? "the connection ended before a response" : error.message());
    upstream_->liveness().Answered(loop_.CoarseNow());
    end_ += size;
    if (!Deliver()) co_return;
  }
}

bool UpstreamLine::Deliver() {
  while (begin_ < end_) {
    std::size_t consumed = 0;
    const auto state = parser_->Feed({in_.data() + begin_, end_ - begin_}, consumed);
    begin_ += consumed;
    const bool is_none =
        !state || places_.empty() || (*state == ResponseParser::State::kHeader && IsEventStream(parser_->response()));
    if (is_none) {
      Break(state ? "what came is no answer" : state.error().message, Outcome::kBroken);
      return false;
    }
    if (*state == ResponseParser::State::kNeedMore) break;
    if (*state == ResponseParser::State::kHeader) continue;
    const bool is_last = !parser_->keep_alive();
    const std::shared_ptr<Place> place = std::move(places_.front().place);
    answered_ = places_.front().end;
    places_.pop_front();
    if (place->outcome == Outcome::kWaiting) {
      place->outcome = Outcome::kAnswered;
      place->response = std::move(parser_->response());
      place->over.Notify();
    }
    if (broken_) return false;
    // After an answer that says so the server looks at no further request (RFC 9112 9.6).
    if (is_last) Break("the server has closed the connection", Outcome::kNotSent);
    if (broken_) return false;
    parser_.emplace(false, max_response_bytes_);
  }
  std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  if (end_ == in_.size()) Break("the header of the answer is too large", Outcome::kBroken);
  return !broken_;
}

void UpstreamLine::Break(const std::string& problem, Outcome of_sent) {
  if (std::exchange(broken_, true)) return;
  error_code ignored;
  socket_.close(ignored);
  for (const Sent& sent : std::exchange(places_, {})) {
    const Outcome outcome = sent.end <= written_ ? of_sent : Outcome::kNotSent;
    if (of_sent == Outcome::kBroken) of_sent = Outcome::kLost;  // that is about the first one
    if (sent.place->outcome != Outcome::kWaiting) continue;
    sent.place->problem = problem;
    sent.place->outcome = outcome;
    sent.place->over.Notify();
  }
}

}  // namespace seedcore::net
