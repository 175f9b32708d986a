#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/metrics.h"
#include "net/http.h"
#include "net/retry_budget.h"
#include "net/upstreams.h"

namespace seedcore::net {

class ForwardCaller;
class IoLoop;
struct HandlerCall;

struct ForwarderOptions {
  std::string name;                                   ///< of the service, in metrics, messages and Host
  std::string token;                                  ///< bearer token of the hop; empty: none
  int max_retries = 2;                                ///< attempts after the first, within the budget
  RetryBudgetSettings retry_budget;                   ///< of all requests of the forwarder together
  std::chrono::milliseconds connect{1'000};           ///< to be connected; then another replica is tried
  std::chrono::milliseconds stalled{10'000};          ///< no answer for so long at the deadline counts as a failure
  std::size_t max_response_bytes = 64 * 1024 * 1024;  ///< larger answers are refused; not of streams
  /// What a server answers at once for as long as it lives, however much it has to do. Empty: it is not asked.
  std::string alive_target;
  /// What a server that was ejected is asked, beside all requests, before it gets one again: any answer will do. Empty:
  /// a request tries it.
  std::string trial_target;
  std::chrono::milliseconds probe_after{2'000};    ///< without a byte from a server, until it is asked that
  std::chrono::milliseconds probe_timeout{5'000};  ///< to answer it; then what waits there is lost, and it is ejected;
                                                   ///< and to answer a trial
};

/// Has the requests of a route answered by one of several servers: a reverse proxy. A forwarded request lives on the
/// event loop that it came in on, with kept connections of that loop; it holds no thread.
///
/// Request and response are held in full, so that a request can be sent again and an answer is either complete or an
/// error; server-sent events pass as they come. A request is sent again, to another server if there is one, when it
/// has not been sent in full, and when it was lost or answered with 502, 503 or 504 and repeating it is harmless
/// (IsRepeatable); all this within a budget, so that a service that fails is not asked many times as much for it.
/// A server that leaves requests unanswered is asked beside them whether it lives, once for all of them; when it does
/// not answer that either, they are lost. One that answers may work on a request until its deadline. One that was
/// ejected for its failures is asked likewise when its time is over, by the clock of a loop.
/// A request that another forwarder has sent here goes no further (503).
/// Answers of its own: 503 with Retry-After when there is no server to ask, 502 when the one that was
/// asked is lost and the request may have been executed.
class Forwarder {
 public:
  /// `on_trouble` is called, on I/O threads, when a server could not be reached: it must not block. `env` and `metrics`
  /// outlive the forwarder.
  Forwarder(ForwarderOptions options, std::shared_ptr<Upstreams> upstreams, std::function<void()> on_trouble, Env& env,
            Metrics& metrics);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  /// For the server: begins to forward `call->request`, and tells `caller` when it is answered. `target` as sent.
  /// `at_once`: servers answer it without waiting for anything, so that it may share a connection with others. On the
  /// caller's loop.
  void Forward(std::shared_ptr<ForwardCaller> caller, std::shared_ptr<HandlerCall> call, std::string_view target,
               bool at_once);

  /// For the server: begins to try those that are ejected and whose time is over. At every tick of one of its loops,
  /// there.
  void TryEjected(IoLoop& loop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seedcore::net
