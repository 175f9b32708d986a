#include "net/upstream_probe.h"

#include <memory>
#include <utility>

#include "base/log.h"
#include "net/io_loop_internal.h"
#include "net/upstream_exchange.h"

namespace seedcore::net {

namespace asio = boost::asio;

namespace {

/// Who asks: until the answer, the end of patience, or that of the loop.
class Asker final : public ForwardCaller, public Watched {
 public:
  Asker(IoLoop& loop, std::shared_ptr<Upstream> upstream, const ForwarderOptions& options, Env& env)
      : loop_(loop), upstream_(std::move(upstream)), asked_(env.Now()) {
    call_->request.call.request_id = env.NewId();
    call_->request.call.deadline = asked_ + options.probe_timeout;
    loop_.upstreams().Watch(*this);
  }

  [[nodiscard]] const std::shared_ptr<HandlerCall>& call() const { return call_; }
  [[nodiscard]] Upstream& upstream() { return *upstream_; }
  [[nodiscard]] Instant asked() const { return asked_; }
  [[nodiscard]] bool is_over() const { return over_; }

  IoLoop& loop() override { return loop_; }
  std::shared_ptr<EventBuffer> OpenStream() override { return nullptr; }
  void Answered(const std::shared_ptr<HandlerCall>&) override {}
  void Tick(Instant now) override {
    if (now >= call_->request.call.deadline) call_->stop.request_stop();
  }
  void Stop() override {
    over_ = true;
    call_->stop.request_stop();
  }

 private:
  IoLoop& loop_;
  const std::shared_ptr<Upstream> upstream_;
  const Instant asked_;
  const std::shared_ptr<HandlerCall> call_ = std::make_shared<HandlerCall>();
  bool over_ = false;  // the loop is
};

/// The end of a question whether `upstream` lives.
class Question {
 public:
  explicit Question(Upstream& upstream) : upstream_(upstream) {}
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  ~Question() { upstream_.liveness().Asked(); }

 private:
  Upstream& upstream_;
};

/// The end of a trial, which says nothing unless it came to one.
class Trial {
 public:
  Trial(Upstream& upstream, CircuitBreaker::Permit permit) : upstream_(upstream), permit_(permit) {}
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() { upstream_.EndTrial(permit_, outcome_); }
  void Ends(CircuitBreaker::Outcome outcome) { outcome_ = outcome; }

 private:
  Upstream& upstream_;
  const CircuitBreaker::Permit permit_;
  CircuitBreaker::Outcome outcome_ = CircuitBreaker::Outcome::kAbandoned;
};

/// Whatever comes back is a sign of life.
bool IsSilence(Fate fate) { return fate == Fate::kNotSent || fate == Fate::kLost || fate == Fate::kStopped; }

asio::awaitable<Fate, LoopExecutor> Ask(UpstreamExchange& exchange, Upstream& upstream) {
  Fate fate = co_await exchange.Attempt(upstream);
  // It may have been closing the kept connection at that moment.
  if (fate == Fate::kLost || fate == Fate::kNotSent) fate = co_await exchange.Attempt(upstream);
  co_return fate;
}

Coroutine AskForLife(std::unique_ptr<Asker> asker, ForwarderOptions options, Env& env) {
  Upstream& upstream = asker->upstream();
  const Question question(upstream);
  // Nobody asks whether the answer to the question will come.
  UpstreamExchange exchange(*asker, asker->call(), std::exchange(options.alive_target, {}), false, options, env);
  const Fate fate = co_await Ask(exchange, upstream);
  if (!IsSilence(fate) || asker->is_over() || !upstream.liveness().Silent(asker->asked(), env.Now())) co_return;
  upstream.Eject();
  log::Warning("replica does not answer whether it lives",
               {{"service", options.name}, {"address", upstream.address.where.ToString()}});
}

Coroutine AskForWork(std::unique_ptr<Asker> asker, CircuitBreaker::Permit permit, ForwarderOptions options, Env& env) {
  using enum CircuitBreaker::Outcome;
  Trial trial(asker->upstream(), permit);
  options.alive_target.clear();  // the trial says it
  UpstreamExchange exchange(*asker, asker->call(), options.trial_target, false, options, env);
  const Fate fate = co_await Ask(exchange, asker->upstream());
  if (asker->is_over()) co_return;
  constexpr int kServerError = 500;  // an I/O thread says 503 and 504 when no worker has answered
  const int status = fate == Fate::kAnswered ? exchange.status() : 0;
  const bool is_back = status > 0 && status < kServerError;
  if (is_back) {
    log::Info("replica is used again",
              {{"service", options.name}, {"address", asker->upstream().address.where.ToString()}, {"status", status}});
  }
  trial.Ends(is_back ? kSuccess : kFailure);
}

}  // namespace

void AskIfAlive(IoLoop& loop, Upstream& upstream, const ForwarderOptions& options, Env& env) {
  asio::co_spawn(loop.context(),
                 AskForLife(std::make_unique<Asker>(loop, upstream.shared_from_this(), options, env), options, env),
                 asio::detached);
}

void AskIfBack(IoLoop& loop, Upstream& upstream, CircuitBreaker::Permit trial, const ForwarderOptions& options,
               Env& env) {
  asio::co_spawn(
      loop.context(),
      AskForWork(std::make_unique<Asker>(loop, upstream.shared_from_this(), options, env), trial, options, env),
      asio::detached);
}

}  // namespace seedcore::net
