#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "net/breaker.h"
#include "net/liveness.h"
#include "net/target.h"

namespace seedcore::net {

/// A server that answers requests of one kind, as whoever knows of it says.
struct UpstreamAddress {
  std::string id;    ///< the same for as long as it is the same process
  HostPort where;    ///< an IP address and a port
  std::string node;  ///< the host it runs on, for people
};

/// One server, with what is known of it from here. Shared by all that talk to it. Thread-safe.
class Upstream : public std::enable_shared_from_this<Upstream> {
 public:
  Upstream(UpstreamAddress a, BreakerSettings breaker, Env& env);

  const UpstreamAddress address;
  const std::uint64_t key;  ///< unlike that of any other Upstream of this process

  [[nodiscard]] int in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
  /// Open: it is ejected.
  [[nodiscard]] const CircuitBreaker& breaker() const { return breaker_; }
  [[nodiscard]] Liveness& liveness() { return liveness_; }
  /// From now on, as if every request had failed.
  void Eject() { breaker_.Trip(); }
  /// Of one that is ejected, when it is time to see whether it is back: reported once with EndTrial. nullopt: it is
  /// not.
  [[nodiscard]] std::optional<CircuitBreaker::Permit> BeginTrial() { return breaker_.AdmitProbe(); }
  void EndTrial(CircuitBreaker::Permit trial, CircuitBreaker::Outcome outcome) { breaker_.Report(trial, outcome); }

 private:
  friend class Upstreams;
  CircuitBreaker breaker_;
  Liveness liveness_;
  std::atomic<int> in_flight_{0};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> failures_{0};
};

/// The servers that one kind of requests may go to, and the choice among them: the one with the fewest requests in
/// flight from here, in turn among equals. One that fails several times in a row is ejected, for longer each time that
/// a probe finds it still failing. The probe is a request, or what somebody else asks it beside them. Thread-safe.
class Upstreams {
 public:
  Upstreams(BreakerSettings breaker, Env& env) : breaker_(breaker), env_(env) {}

  /// A request on its way. Unreported at its end, it says nothing about the server.
  class Lease {
   public:
    Lease(std::shared_ptr<Upstream> upstream, CircuitBreaker::Permit permit);
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    [[nodiscard]] Upstream& upstream() const { return *upstream_; }
    /// At most once.
    void Report(CircuitBreaker::Outcome outcome);

   private:
    std::shared_ptr<Upstream> upstream_;
    CircuitBreaker::Permit permit_;
    bool reported_ = false;
  };

  /// Those in `tried` only when nobody else is left. kUnavailable when there is none, or all are ejected.
  [[nodiscard]] Result<Lease> Pick(std::span<const std::uint64_t> tried);

  /// From now on no request goes to one that is ejected: somebody tries them (Upstream::BeginTrial).
  void LeaveTrials() { trials_are_left_ = true; }
  /// From now on these and no others get requests. Those known by id go on as they are.
  void Replace(std::vector<UpstreamAddress> addresses);
  [[nodiscard]] std::vector<std::shared_ptr<Upstream>> List() const;
  /// How long until one of them may be tried again; zero when one may be now, or there is none.
  [[nodiscard]] std::chrono::nanoseconds UntilNextProbe() const;

 private:
  [[nodiscard]] std::shared_ptr<Upstream> LeastLoaded(std::span<const std::uint64_t> refused) const;

  const BreakerSettings breaker_;
  Env& env_;
  std::atomic<bool> trials_are_left_ = false;
  mutable std::mutex mutex_;  // guards the two below, and makes a choice and its count one step
  std::vector<std::shared_ptr<Upstream>> upstreams_;
  std::size_t turn_ = 0;
};

}  // namespace seedcore::net
