#include "net/forwarder.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "net/asio_internal.h"
#include "net/forward_message.h"
#include "net/forwarder_internal.h"
#include "net/io_loop_internal.h"
#include "net/retry.h"
#include "net/upstream_exchange.h"
#include "net/upstream_probe.h"

namespace seedcore::net {

namespace asio = boost::asio;

namespace {

/// Why a request is sent again, as metrics call it.
std::string_view ToString(Fate fate) {
  switch (fate) {
    case Fate::kNotSent: return "not_sent";
    case Fate::kLost: return "lost";
    case Fate::kRefused: return "refused";
    case Fate::kBroken: return "broken";
    case Fate::kAnswered: return "status";
    case Fate::kStreaming:
    case Fate::kStopped: break;
  }
  return "none";
}

}  // namespace

class Forwarder::Impl {
 public:
  Impl(ForwarderOptions options, std::shared_ptr<Upstreams> upstreams, std::function<void()> on_trouble, Env& env,
       Metrics& metrics)
      : options_(std::move(options)),
        upstreams_(std::move(upstreams)),
        on_trouble_(std::move(on_trouble)),
        env_(env),
        budget_(options_.retry_budget, env),
        over_budget_(metrics.GetCounter("seedcore_gateway_retries_refused_total",
                                        "Retries left out because there were too many of them lately",
                                        {{"service", options_.name}})),
        no_replica_(metrics.GetCounter("seedcore_gateway_no_replica_total",
                                       "Requests that no replica could be asked for", {{"service", options_.name}})) {
    for (const Fate fate : {Fate::kNotSent, Fate::kLost, Fate::kRefused, Fate::kBroken, Fate::kAnswered}) {
      retries_.push_back(&metrics.GetCounter("seedcore_gateway_retries_total",
                                             "Requests sent again, by what had happened",
                                             {{"service", options_.name}, {"reason", std::string(ToString(fate))}}));
    }
    failures_ = &metrics.GetCounter("seedcore_gateway_upstream_failures_total", "Attempts that no answer came from",
                                    {{"service", options_.name}});
    if (!options_.trial_target.empty()) upstreams_->LeaveTrials();
  }

  Coroutine Run(std::shared_ptr<ForwardCaller> caller, std::shared_ptr<HandlerCall> call, std::string target,
                bool at_once);
  void TryEjected(IoLoop& loop);

 private:
  Coroutine Answer(UpstreamExchange& exchange);
  /// Notes what became of the attempt; true when there is to be another one.
  bool JudgeAndRetry(Fate fate, Upstreams::Lease& lease, const UpstreamExchange& exchange, Instant begun, int retry);
  [[nodiscard]] Response NobodyToAsk(const Error& error) const;
  [[nodiscard]] Response Failed(Fate fate, const UpstreamExchange& exchange) const;

  const ForwarderOptions options_;
  const std::shared_ptr<Upstreams> upstreams_;
  const std::function<void()> on_trouble_;
  Env& env_;
  RetryBudget budget_;
  Counter& over_budget_;
  Counter& no_replica_;
  std::vector<Counter*> retries_;  // by Fate
  Counter* failures_ = nullptr;
};

Coroutine Forwarder::Impl::Run(std::shared_ptr<ForwardCaller> caller, std::shared_ptr<HandlerCall> call,
                               std::string target, bool at_once) {
  UpstreamExchange exchange(*caller, call, std::move(target), at_once, options_, env_);
  try {
    co_await Answer(exchange);
  } catch (const std::exception& error) {
    log::Error("forwarding failed",
               {{"service", options_.name}, {"request_id", call->request.call.request_id}, {"what", error.what()}});
    if (!exchange.answered()) {
      exchange.Finish(ErrorResponse({ErrorCode::kInternal, "internal error of the gateway", {}}));
    }
  }
}

void Forwarder::Impl::TryEjected(IoLoop& loop) {
  if (options_.trial_target.empty()) return;
  for (const auto& upstream : upstreams_->List()) {
    if (const auto trial = upstream->BeginTrial()) AskIfBack(loop, *upstream, *trial, options_, env_);
  }
}

Coroutine Forwarder::Impl::Answer(UpstreamExchange& exchange) {
  if (exchange.WasForwarded()) {
    exchange.Finish(NobodyToAsk({ErrorCode::kUnavailable, "the request was forwarded here, and goes no further", {}}));
    co_return;
  }
  std::vector<std::uint64_t> tried;
  budget_.OnRequest();
  for (int retry = 0;; ++retry) {
    auto lease = upstreams_->Pick(tried);
    if (!lease) {
      no_replica_.Increment();
      if (on_trouble_) on_trouble_();
      // A refusal that a replica has given says more than that there is no other one.
      exchange.Finish(exchange.HasResponse() ? exchange.TakeResponse() : NobodyToAsk(lease.error()));
      co_return;
    }
    tried.push_back(lease->upstream().key);
    const Instant begun = env_.Now();
    const Fate fate = co_await exchange.Attempt(lease->upstream());
    if (JudgeAndRetry(fate, *lease, exchange, begun, retry)) continue;
    if (fate == Fate::kStopped) co_return;  // nobody waits: the connection has answered, or the client is gone
    if (fate == Fate::kStreaming) {
      co_await exchange.Stream();
      co_return;
    }
    {
      const Upstreams::Lease over = std::move(*lease);
    }  // before the client can ask again
    exchange.Finish(fate == Fate::kAnswered ? exchange.TakeResponse() : Failed(fate, exchange));
    co_return;
  }
}

bool Forwarder::Impl::JudgeAndRetry(Fate fate, Upstreams::Lease& lease, const UpstreamExchange& exchange, Instant begun,
                                    int retry) {
  using enum CircuitBreaker::Outcome;
  bool worth_it = false;
  switch (fate) {
    case Fate::kStreaming: lease.Report(kSuccess); return false;
    case Fate::kStopped:
      // A client in a hurry proves nothing against a server; one that waited long does.
      if (env_.Now() - begun >= options_.stalled) lease.Report(kFailure);
      return false;
    case Fate::kAnswered:
      lease.Report(kSuccess);
      // It lives, and it is busy or its own peers are not well: another one may be luckier.
      worth_it = exchange.status() >= 502 && exchange.status() <= 504 && exchange.IsRepeatable();
      break;
    case Fate::kNotSent:
    case Fate::kRefused: worth_it = true; break;
    case Fate::kLost: worth_it = exchange.IsRepeatable(); break;
    case Fate::kBroken: break;
  }
  if (fate != Fate::kAnswered) {
    lease.Report(kFailure);
    failures_->Increment();
    if (on_trouble_) on_trouble_();
    log::Warning("replica failed", {{"service", options_.name},
                                    {"address", lease.upstream().address.where.ToString()},
                                    {"what", exchange.problem()},
                                    {"repeatable", worth_it}});
  }
  if (!worth_it || retry >= options_.max_retries) return false;
  if (fate == Fate::kAnswered && upstreams_->List().size() < 2) return false;
  if (!budget_.TryRetry()) {
    over_budget_.Increment();
    return false;
  }
  retries_[static_cast<std::size_t>(fate)]->Increment();
  return true;
}

Response Forwarder::Impl::NobodyToAsk(const Error& error) const {
  Response response = ErrorResponse({error.code, fmt::format("{}: {}", options_.name, error.message), {}});
  const auto wait = std::chrono::ceil<std::chrono::seconds>(upstreams_->UntilNextProbe());
  response.headers.Add("Retry-After", std::to_string(std::max<std::chrono::seconds::rep>(1, wait.count())));
  return response;
}

Response Forwarder::Impl::Failed(Fate fate, const UpstreamExchange& exchange) const {
  if (fate == Fate::kNotSent || fate == Fate::kRefused) {
    return NobodyToAsk({ErrorCode::kUnavailable, "no replica takes the request: " + exchange.problem(), {}});
  }
  const bool may_have_run = fate == Fate::kLost && !exchange.IsRepeatable();
  Response response = ErrorResponse(
      {ErrorCode::kUnavailable,
       fmt::format("{}: {}{}", options_.name, exchange.problem(),
                   may_have_run ? "; it may have been executed. With an Idempotency-Key it would have been "
                                  "sent to another replica"
                                : ""),
       {}});
  constexpr int kBadGateway = 502;
  response.status = kBadGateway;
  return response;
}

Forwarder::Forwarder(ForwarderOptions options, std::shared_ptr<Upstreams> upstreams, std::function<void()> on_trouble,
                     Env& env, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(upstreams), std::move(on_trouble), env, metrics)) {}

Forwarder::~Forwarder() = default;

void Forwarder::Forward(std::shared_ptr<ForwardCaller> caller, std::shared_ptr<HandlerCall> call,
                        std::string_view target, bool at_once) {
  asio::io_context& context = caller->loop().context();
  asio::co_spawn(context, impl_->Run(std::move(caller), std::move(call), std::string(target), at_once), asio::detached);
}

void Forwarder::TryEjected(IoLoop& loop) { impl_->TryEjected(loop); }

}  // namespace seedcore::net
