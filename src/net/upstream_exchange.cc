#include "net/upstream_exchange.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <fmt/format.h>

#include "net/asio_internal.h"
#include "net/forward_message.h"
#include "net/io_loop_internal.h"
#include "net/retry.h"
#include "net/same_host.h"
#include "net/upstream_probe.h"

namespace seedcore::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// Larger bodies are written by themselves instead of being copied behind their head.
constexpr std::size_t kCopiedBody = 64 * 1024;
/// Of an event stream that has not ended its line.
constexpr std::size_t kLongestLine = 1024 * 1024;

constexpr const char* kNoSignOfLife = "it does not answer, not even whether it lives";

}  // namespace

UpstreamExchange::UpstreamExchange(ForwardCaller& caller, std::shared_ptr<HandlerCall> call, std::string target,
                                   bool at_once, const ForwarderOptions& options, Env& env)
    : caller_(caller),
      call_(std::move(call)),
      target_(std::move(target)),
      at_once_(at_once && call_->request.body.size() <= kCopiedBody),
      options_(options),
      env_(env),
      on_stop_(call_->stop.get_token(), Stopper{this}) {
  caller_.loop().upstreams().Watch(*this);
}

bool UpstreamExchange::WasForwarded() const { return net::WasForwarded(call_->request); }

bool UpstreamExchange::IsRepeatable() const {
  return net::IsRepeatable(call_->request.method, call_->request.call.idempotency_key);
}

void UpstreamExchange::OnStop() {
  stopped_ = true;
  if (place_) line_->Leave(place_);
  CloseConnection();
}

void UpstreamExchange::CloseConnection() {
  if (!connection_) return;
  error_code ignored;
  connection_->socket.close(ignored);
}

void UpstreamExchange::Tick(Instant now) {
  if (upstream_ == nullptr || options_.alive_target.empty() || given_up_) return;
  switch (upstream_->liveness().Judge(silent_since_, now, options_.probe_after)) {
    case Liveness::Verdict::kWait: return;
    case Liveness::Verdict::kAsk: return AskIfAlive(caller_.loop(), *upstream_, options_, env_);
    case Liveness::Verdict::kDead: break;
  }
  given_up_ = true;
  CloseConnection();
  // What waits on the line with it goes on at once, and its loop is in the middle of a tick.
  if (line_) asio::post(caller_.loop().context(), [line = line_] { line->Break(kNoSignOfLife); });
}

asio::awaitable<Fate, LoopExecutor> UpstreamExchange::Attempt(Upstream& upstream) {
  if (stopped_) co_return Fate::kStopped;
  upstream_ = &upstream;
  silent_since_ = env_.Now();
  given_up_ = false;
  if (at_once_) {
    if (auto line = caller_.loop().upstreams().Line(caller_.loop(), upstream, options_.max_response_bytes)) {
      const Fate fate = co_await Share(std::move(line));
      // A line that has ended says little of the server, which has seen nothing of this.
      if (fate != Fate::kNotSent || given_up_ || stopped_) {
        upstream_ = nullptr;
        co_return fate;
      }
    }
  }
  connection_ = caller_.loop().upstreams().Take(upstream.key);
  if (!connection_ && !co_await Connect(upstream.address.where)) {
    upstream_ = nullptr;
    co_return stopped_ ? Fate::kStopped : Fate::kNotSent;
  }
  const std::string& body = call_->request.body;
  const bool copied = body.size() <= kCopiedBody;
  const std::string message = Message(copied);
  bool sent = co_await Write(message);
  if (sent && !copied) sent = co_await Write(body);
  // A server that refuses early closes while we still send; its answer may be there all the same.
  const Fate fate = co_await Read(upstream.key, sent);
  if (fate != Fate::kStreaming) {
    connection_.reset();
    upstream_ = nullptr;
  }
  co_return fate;
}

std::string UpstreamExchange::Message(bool with_body) const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(call_->request.call.deadline - silent_since_);
  std::string message =
      ForwardedHead(call_->request, target_, {.host = options_.name, .token = options_.token, .time_left = left});
  if (with_body) message += call_->request.body;
  return message;
}

asio::awaitable<Fate, LoopExecutor> UpstreamExchange::Share(std::shared_ptr<UpstreamLine> line) {
  using enum UpstreamLine::Outcome;
  line_ = std::move(line);
  place_ = line_->Send(Message(true));
  while (place_->outcome == kWaiting) co_await place_->over.Wait();
  line_.reset();
  const std::shared_ptr<UpstreamLine::Place> place = std::move(place_);
  problem_ = place->problem;
  switch (place->outcome) {
    case kAnswered: co_return Judge(std::move(place->response));
    case kNotSent:
    case kLost: co_return Lost(place->outcome == kLost, place->problem);
    case kBroken: co_return Fate::kBroken;
    case kWaiting:
    case kLeft: break;
  }
  co_return Fate::kStopped;
}

asio::awaitable<bool, LoopExecutor> UpstreamExchange::Connect(const HostPort& where) {
  error_code error;
  connection_ = std::make_unique<UpstreamConnection>(caller_.loop().context());
  LoopSocket& socket = connection_->socket;
  if (const int fd = ConnectOnSameHost(where); fd >= 0) {
    socket.assign({AF_UNIX, 0}, fd, error);
    socket.non_blocking(true, error);
    co_return true;
  }
  const auto address = asio::ip::make_address(where.host, error);
  if (error) {
    problem_ = fmt::format("'{}' is not an IP address", where.host);
    connection_.reset();
    co_return false;
  }
  const auto waiting = std::make_shared<bool>(true);
  bool timed_out = false;
  asio::steady_timer timer(caller_.loop().context(), options_.connect);
  timer.async_wait([waiting, &socket, &timed_out](error_code cancelled) {
    if (cancelled || !*waiting) return;
    timed_out = true;
    error_code ignored;
    socket.close(ignored);
  });
  std::tie(error) = co_await socket.async_connect(tcp::endpoint(address, where.port), kAwaitTuple);
  *waiting = false;
  timer.cancel();
  if (error || stopped_) {
    problem_ = fmt::format("can't connect to {}: {}", where.ToString(), timed_out ? "timed out" : error.message());
    connection_.reset();
    co_return false;
  }
  const int on = 1;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  socket.non_blocking(true, error);
  co_return true;
}

asio::awaitable<bool, LoopExecutor> UpstreamExchange::Write(std::string_view bytes) {
  LoopSocket& socket = connection_->socket;
  while (!bytes.empty()) {
    error_code error;
    bytes.remove_prefix(socket.write_some(asio::buffer(bytes.data(), bytes.size()), error));
    if (error == asio::error::would_block) {
      std::tie(error) = co_await socket.async_wait(LoopSocket::wait_write, kAwaitTuple);
    }
    if (error || stopped_) co_return false;
  }
  co_return true;
}

asio::awaitable<bool, LoopExecutor> UpstreamExchange::Receive() {
  auto& buffer = connection_->buffer;
  std::memmove(buffer.data(), buffer.data() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  if (end_ == buffer.size()) {
    problem_ = "the header of the answer is too large";
    co_return false;
  }
  const auto [error, size] = co_await connection_->socket.async_read_some(
      asio::buffer(buffer.data() + end_, buffer.size() - end_), kAwaitTuple);
  end_ += size;
  if (size > 0) {
    silent_since_ = std::max(silent_since_, caller_.loop().CoarseNow());
    upstream_->liveness().Answered(silent_since_);
  }
  ended_ = static_cast<bool>(error);
  if (error && error != asio::error::eof) problem_ = error.message();
  co_return !error;
}

Result<ResponseParser::State> UpstreamExchange::Parse() {
  std::size_t consumed = 0;
  auto state = parser_->Feed({connection_->buffer.data() + begin_, end_ - begin_}, consumed);
  begin_ += consumed;
  return state;
}

asio::awaitable<Fate, LoopExecutor> UpstreamExchange::Read(std::uint64_t upstream, bool sent) {
  parser_.emplace(false, std::numeric_limits<std::size_t>::max());
  response_.reset();
  begin_ = end_ = 0;
  ended_ = false;
  while (true) {
    Result<ResponseParser::State> state = ResponseParser::State::kNeedMore;
    if (stopped_) co_return Fate::kStopped;
    if (co_await Receive()) {
      state = Parse();
      if (state && *state == ResponseParser::State::kHeader) {
        if (IsEventStream(parser_->response())) co_return Fate::kStreaming;
        state = Parse();
      }
    } else {
      if (stopped_) co_return Fate::kStopped;
      if (given_up_) co_return Lost(sent, kNoSignOfLife);
      if (!ended_) co_return Fate::kBroken;
      state = parser_->End();
      if (!state) co_return Lost(sent, state.error().message);
    }
    if (!state) {
      problem_ = state.error().message;
      co_return Fate::kBroken;
    }
    if (parser_->response().body.size() > options_.max_response_bytes) {
      problem_ = fmt::format("the answer is larger than {} bytes", options_.max_response_bytes);
      co_return Fate::kBroken;
    }
    if (*state != ResponseParser::State::kDone) continue;
    const Fate fate = Judge(std::move(parser_->response()));
    if (fate == Fate::kAnswered && !ended_ && begin_ == end_ && parser_->keep_alive()) {
      caller_.loop().upstreams().Keep(upstream, std::move(connection_), caller_.loop().CoarseNow());
    }
    co_return fate;
  }
}

Fate UpstreamExchange::Lost(bool sent, const std::string& why) {
  problem_ = sent ? "the replica was lost while it had the request: " + why : "the request did not get through: " + why;
  return sent ? Fate::kLost : Fate::kNotSent;
}

Fate UpstreamExchange::Judge(Response response) {
  constexpr int kUnauthorized = 401;
  response_ = std::move(response);
  if (response_->status == kUnauthorized) {
    response_.reset();
    problem_ = "the replica refuses the cluster token; SEEDCORE_CLUSTER_TOKEN must be the same everywhere";
    return Fate::kRefused;
  }
  StripResponse(*response_);
  return Fate::kAnswered;
}

void UpstreamExchange::Finish(Response response) {
  answered_ = true;
  call_->response = std::move(response);
  caller_.Answered(call_);
}

Coroutine UpstreamExchange::Stream() {
  const std::shared_ptr<EventBuffer> events = caller_.OpenStream();
  call_->stream = events;
  call_->accepted = answered_ = true;
  caller_.Answered(call_);
  std::string& body = parser_->response().body;
  std::string lines;
  bool done = false;
  while (true) {
    while (!done && begin_ < end_) {
      const std::size_t before = begin_;
      const auto state = Parse();
      if (!state) co_return events->Close();
      done = *state == ResponseParser::State::kDone;
      if (begin_ == before) break;  // what is left is part of a chunk's header
    }
    lines += std::exchange(body, {});
    // Whole lines only: the server puts comments of its own between them.
    const std::size_t whole = lines.rfind('\n');
    if (whole != std::string::npos) {
      if (!events->SendLines(std::string_view(lines).substr(0, whole + 1))) co_return;
      lines.erase(0, whole + 1);
    }
    if (done || stopped_ || lines.size() > kLongestLine || !co_await Receive()) co_return events->Close();
  }
}

}  // namespace seedcore::net
