#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "net/asio_internal.h"
#include "net/forwarder.h"
#include "net/forwarder_internal.h"
#include "net/response_parser.h"
#include "net/upstream_line.h"
#include "net/upstream_pool.h"

// Internal to the forwarder.
namespace seedcore::net {

/// What became of one attempt to have a request answered.
enum class Fate {
  kNotSent,    ///< the server can't have executed it: no connection, or the request did not get through in full
  kLost,       ///< sent, and then the connection ended without an answer: it may have been executed
  kRefused,    ///< the server does not take our token: not executed
  kBroken,     ///< what came is not a response, or is too large
  kAnswered,   ///< there is a response
  kStreaming,  ///< server-sent events have begun
  kStopped,    ///< its client is gone or no longer waits
};

/// One request on its way to servers and back, in as many attempts as it takes. Lives in the coroutine of its request,
/// on the loop of its caller.
class UpstreamExchange final : public Watched {
 public:
  /// `at_once`: see Forwarder::Forward.
  UpstreamExchange(ForwardCaller& caller, std::shared_ptr<HandlerCall> call, std::string target, bool at_once,
                   const ForwarderOptions& options, Env& env);
  UpstreamExchange(const UpstreamExchange&) = delete;
  UpstreamExchange& operator=(const UpstreamExchange&) = delete;

  /// Sends it to `upstream` and reads what comes back. `upstream` stays until the next attempt, or the end of Stream.
  boost::asio::awaitable<Fate, LoopExecutor> Attempt(Upstream& upstream);
  /// After kStreaming: passes events on until either side ends.
  Coroutine Stream();
  /// Gives the client its response.
  void Finish(Response response);
  /// Has the server asked whether it lives when it has been silent for long, and gives it up when it does not.
  void Tick(Instant now) override;
  void Stop() override { call_->stop.request_stop(); }

  /// As net::WasForwarded, of the request it is about.
  [[nodiscard]] bool WasForwarded() const;
  [[nodiscard]] bool IsRepeatable() const;
  [[nodiscard]] bool answered() const { return answered_; }
  [[nodiscard]] bool HasResponse() const { return response_.has_value(); }
  [[nodiscard]] int status() const { return response_ ? response_->status : 0; }
  [[nodiscard]] Response TakeResponse() { return std::move(*response_); }
  /// What was wrong with the last attempt.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  /// Attempt, on a connection that others are on, too.
  boost::asio::awaitable<Fate, LoopExecutor> Share(std::shared_ptr<UpstreamLine> line);
  [[nodiscard]] std::string Message(bool with_body) const;
  boost::asio::awaitable<bool, LoopExecutor> Connect(const HostPort& where);
  boost::asio::awaitable<bool, LoopExecutor> Write(std::string_view bytes);
  boost::asio::awaitable<Fate, LoopExecutor> Read(std::uint64_t upstream, bool sent);
  /// More bytes of the answer; false at the end of the connection.
  boost::asio::awaitable<bool, LoopExecutor> Receive();
  Result<ResponseParser::State> Parse();
  Fate Lost(bool sent, const std::string& why);
  Fate Judge(Response response);
  void OnStop();
  void CloseConnection();

  ForwardCaller& caller_;
  const std::shared_ptr<HandlerCall> call_;
  const std::string target_;
  const bool at_once_;
  const ForwarderOptions& options_;
  Env& env_;

  Upstream* upstream_ = nullptr;  // of the attempt under way
  Instant silent_since_;
  bool given_up_ = false;                       // it does not live
  std::shared_ptr<UpstreamLine> line_;          // while it is on one
  std::shared_ptr<UpstreamLine::Place> place_;  // on line_
  std::unique_ptr<UpstreamConnection> connection_;
  std::optional<ResponseParser> parser_;
  std::size_t begin_ = 0;  // received and not yet parsed: [begin_, end_) of the connection's buffer
  std::size_t end_ = 0;
  bool ended_ = false;  // by the server
  bool stopped_ = false;
  bool answered_ = false;
  std::optional<Response> response_;
  std::string problem_;

  struct Stopper {
    UpstreamExchange* exchange;
    void operator()() const { exchange->OnStop(); }
  };
  std::stop_callback<Stopper> on_stop_;  // last: it may run at once
};

}  // namespace seedcore::net
