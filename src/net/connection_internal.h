#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "net/asio_internal.h"
#include "net/event_buffer.h"
#include "net/forwarder_internal.h"
#include "net/gate.h"
#include "net/handler_call.h"
#include "net/io_loop_internal.h"
#include "net/request_parser.h"
#include "net/wakeup.h"

namespace seedcore::net {

/// One client connection: a coroutine that reads, judges, answers. Lives on one loop; only that loop's thread touches
/// it.
class Connection final : public ForwardCaller, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<IoLoop> loop, LoopSocket socket, std::string peer, RouteTable& routes, bool refuse);
  ~Connection() override;

  IoLoop& loop() override { return *loop_; }
  std::shared_ptr<EventBuffer> OpenStream() override;
  void Answered(const std::shared_ptr<HandlerCall>& call) override;

  void Start();
  void Tick(Instant now);
  void Drain();
  void Cut();

  std::list<std::weak_ptr<Connection>>::iterator place;  ///< in the loop's list

 private:
  enum class Phase {
    kIdle,       ///< between requests
    kHeader,     ///< part of a header has come
    kBody,       ///< part of a body has come
    kHandling,   ///< a worker has the request
    kWriting,    ///< the client is slow to take a response
    kStreaming,  ///< server-sent events
    kLingering,  ///< waiting for the client to have read a refusal
  };
  /// What the synchronous part wants done next.
  enum class Next { kRead, kFlush, kHandle, kClose, kLinger };

  Coroutine Run();
  Coroutine Serve();
  Coroutine FlushRest();
  Coroutine Handle();
  Coroutine Stream(std::shared_ptr<EventBuffer> events);
  Coroutine Linger();

  /// Parses and answers as long as no waiting is needed.
  Next Advance();
  Next AfterHeader();
  Next AfterMessage();
  Next Refuse(const Error& error);
  Next ReadTimedOut();

  /// Has the call handled, here or by a worker; `call.done` once there is a response.
  void Dispatch(const Route& route, const std::shared_ptr<HandlerCall>& call, bool too_many_streams);
  std::shared_ptr<EventBuffer> MakeEventBuffer();
  void Respond(Response& response);
  void Record(int status);

  /// True when all of out_ is written; false when the rest needs waiting, or the connection broke (closed_).
  bool TryFlush();
  void WatchForDisconnect();
  void ClientGone();
  void Enter(Phase phase, std::chrono::nanoseconds limit);
  void Close();

  std::shared_ptr<IoLoop> loop_;
  ServerCore& core_;
  LoopSocket socket_;
  RouteTable& routes_;
  const std::string peer_;
  const bool refuse_;  ///< over the connection limit: one 503, then close

  std::unique_ptr<char[]> in_;  // bytes read and not yet parsed: [in_begin_, in_end_)
  std::size_t in_capacity_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  std::string out_;  // bytes to write from out_begin_ on
  std::size_t out_begin_ = 0;

  RequestParser parser_;
  Request request_;
  Admission admission_;
  bool forwards_ = false;  // another server is to answer the current request
  bool in_message_ = false;
  bool in_body_ = false;
  bool closing_ = false;  // no further request will be read
  std::size_t answered_in_batch_ = 0;
  Instant started_;  // the current request was complete

  Phase phase_ = Phase::kIdle;
  Instant expires_ = Instant::max();
  bool expired_ = false;
  bool closed_ = false;
  bool client_gone_ = false;
  bool watching_ = false;
  Wakeup wakeup_;
  std::shared_ptr<HandlerCall> call_;
  std::shared_ptr<EventBuffer> events_;
  Instant last_event_;
};

}  // namespace seedcore::net
