#include "sim/world.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "sim/checker.h"
#include "sim/client.h"
#include "sim/process.h"

namespace seedcore::sim {
namespace {

using namespace std::chrono_literals;

/// A process of any kind that can be paused, and that comes back after a crash as a new one.
template <class Process>
struct Host {
  std::string name;
  std::unique_ptr<Process> process;  // null: crashed
  Instant away_until{};              // paused, or down

  [[nodiscard]] Instant Due() const { return process == nullptr ? away_until : std::max(process->Due(), away_until); }
};

class World {
 public:
  explicit World(const Options& options)
      : trace_(options.trace),
        env_(options.seed),
        weather_(env_, ChooseClimate(env_)),
        store_(
            env_, metrics_,
            [this](const store::Effects& effects) {
              checker_.EffectsWritten(effects);
              return Result<void>();
            },
            options.defect),
        checker_(env_, store_, weather_),
        started_(env_.Now()),
        chaos_until_(started_ + 20s + weather_.UpTo(60s)),
        chaos_due_(started_) {
    const auto limit = [&](store::LimitScope scope, std::string name, int most) {
      static_cast<void>(store_.PutLimit({scope, std::move(name), most, std::nullopt}));
    };
    limit(store::LimitScope::kType, "b", kMostOfTypeB);
    limit(store::LimitScope::kKey, std::string(store::kEveryKey), kMostOfAKey);
    for (int i = 0; i < 2 + weather_.Below(2); ++i) dispatchers_.push_back({.name = fmt::format("dispatcher {}", i)});
    for (int i = 0; i < 1 + weather_.Below(2); ++i) reapers_.push_back({.name = fmt::format("reaper {}", i)});
    AddClients();
  }

  Outcome Run() {
    constexpr std::size_t kMostSteps = 50'000;
    constexpr auto kLongestQuiet = 20min;
    while (checker_.violations().empty() && !AllEnded()) {
      if (++steps_ > kMostSteps || env_.Now() > chaos_until_ + kLongestQuiet) {
        checker_.AtEnd();
        checker_.Violate("the tasks did not come to their end");
        break;
      }
      Step();
      checker_.AfterStep(Believed());
    }
    if (checker_.violations().empty()) checker_.AtEnd();
    return Report();
  }

 private:
  /// Two tenants with a handful of tasks each; in some runs one of them brings a flood, so that the other must get its
  /// share in between.
  void AddClients() {
    const int priority = weather_.Below(2) == 0 ? 5 : 0;
    if (priority > 0) checker_.AllOfOnePriority();
    const bool flood = weather_.Below(4) == 0;
    for (int i = 0; i < 2; ++i) {
      Client::Habits habits{.tasks = 5 + weather_.Below(15),
                            .most_per_batch = 3,
                            .domain = fmt::format("tenant {}", i),
                            .priority = priority};
      if (flood && i == 0) {
        habits.tasks += 40;
        habits.most_per_batch = 30;
      }
      clients_.push_back({.name = fmt::format("client {}", i)});
      clients_.back().process = std::make_unique<Client>(env_, store_, weather_, checker_, std::move(habits));
    }
  }

  struct Turn {
    Instant due;
    std::function<void()> step;
  };

  void Step() {
    std::vector<Turn> turns;
    for (auto& host : dispatchers_) turns.push_back({host.Due(), [&] { StepDispatcher(host); }});
    for (auto& host : reapers_) turns.push_back({host.Due(), [&] { StepReaper(host); }});
    for (auto& host : clients_) turns.push_back({host.Due(), [&] { Note(host.name, host.process->Step()); }});
    turns.push_back({weather_.NextArrival(), [&] {
                       weather_.Arrive();
                       Note("the network", "delivers a late write");
                     }});
    if (!quiet_) turns.push_back({chaos_due_, [&] { Chaos(); }});
    const Instant first = std::ranges::min(turns, {}, &Turn::due).due;
    if (first > env_.Now()) env_.Advance(std::chrono::ceil<std::chrono::microseconds>(first - env_.Now()));
    std::erase_if(turns, [&](const Turn& turn) { return turn.due > env_.Now(); });
    turns[static_cast<std::size_t>(weather_.Below(static_cast<int>(turns.size())))].step();
  }

  void StepDispatcher(Host<DispatcherProcess>& host) {
    if (host.process == nullptr) {
      host.process =
          std::make_unique<DispatcherProcess>(env_, store_, weather_, checker_, metrics_, 1 + weather_.Below(3));
      return Note(host.name, "starts");
    }
    try {
      Note(host.name, host.process->Step());
      if (host.process->Stopped()) Down(host, "has stopped");
    } catch (const Crash&) {
      ++weather_.counts.crashes;
      Down(host, "crashes");
    }
  }

  void StepReaper(Host<ReaperProcess>& host) {
    try {
      if (host.process == nullptr) {
        host.process = std::make_unique<ReaperProcess>(env_, store_, weather_, metrics_);
      }
      const int failed = weather_.counts.failed_calls;
      host.process->Step();
      Note(host.name, "reaps");
      // It looks again when its pause after the failure is over.
      if (weather_.counts.failed_calls != failed) weather_.Disturb(host.process->Due());
    } catch (const Crash&) {
      ++weather_.counts.crashes;
      Down(host, "crashes");
      weather_.Disturb(host.away_until);
    }
  }

  template <class Process>
  void Down(Host<Process>& host, const char* what) {
    host.process.reset();
    host.away_until = env_.Now() + weather_.UpTo(5s);
    Note(host.name, what);
  }

  template <class Process>
  void Pause(Host<Process>& host) {
    ++weather_.counts.pauses;
    host.away_until = env_.Now() + weather_.UpTo(kLease * 5 / 2);
    Note(host.name, "is paused");
  }

  /// What happens to processes and clocks as a whole; what happens to calls is the weather's.
  void Chaos() {
    if (env_.Now() >= chaos_until_) return Quiet();
    chaos_due_ = env_.Now() + weather_.UpTo(8s);
    auto& host = dispatchers_[static_cast<std::size_t>(weather_.Below(static_cast<int>(dispatchers_.size())))];
    switch (weather_.Below(7)) {
      case 0:
      case 1: Pause(host); break;
      case 2:
        if (host.process == nullptr) break;
        ++weather_.counts.crashes;
        Down(host, "is killed");
        break;
      case 3:
        if (host.process == nullptr) break;
        ++weather_.counts.shutdowns;
        host.process->BeginStop();
        Note(host.name, "is asked to stop");
        if (host.process->Stopped()) Down(host, "has stopped");
        break;
      case 4:
        Pause(reapers_.front());
        weather_.Disturb(reapers_.front().away_until);
        break;
      case 5: JumpClock(); break;
      case 6: {
        ++weather_.counts.outages;
        const Instant until = env_.Now() + weather_.UpTo(kLease * 3 / 2);
        weather_.Outage(until);
        weather_.Disturb(until);
        Note("the store", "is out");
        break;
      }
    }
  }

  void JumpClock() {
    if (!weather_.climate().clock_jumps) return;
    ++weather_.counts.clock_jumps;
    env_.JumpWall(weather_.UpTo(kLease * 3) - kLease);
    weather_.Disturb(env_.Now());
    Note("the wall clock", "is set");
  }

  /// The storm is over: whatever it left behind must now come to its end.
  void Quiet() {
    quiet_ = true;
    weather_.Clear();
    for (auto& host : dispatchers_) host.away_until = env_.Now();
    for (auto& host : reapers_) host.away_until = env_.Now();
    for (const auto& host : reapers_) weather_.Disturb(host.Due());
    Note("the weather", "clears");
  }

  [[nodiscard]] bool AllEnded() const {
    return quiet_ && weather_.NextArrival() == Instant::max() &&
           std::ranges::all_of(clients_, [](const auto& host) { return host.process->Done(); }) &&
           std::ranges::all_of(store_.rows(), [](const auto& row) { return IsTerminal(row.task.status); });
  }

  [[nodiscard]] std::vector<std::string> Believed() const {
    std::vector<std::string> all;
    for (const auto& host : dispatchers_) {
      if (host.process == nullptr) continue;
      const auto ids = host.process->Believed();
      all.insert(all.end(), ids.begin(), ids.end());
    }
    return all;
  }

  void Note(const std::string& who, const std::string& what) {
    if (trace_) fmt::print("{:12.6f} {} {}\n", std::chrono::duration<double>(env_.Now() - started_).count(), who, what);
  }

  Outcome Report() {
    Outcome out{.violations = checker_.violations(), .steps = steps_, .tasks = store_.rows().size()};
    out.faults = weather_.counts;
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const store::TaskEvent& event : store_.history()) {
      const std::string line = fmt::format("{} {} {} {} {}\n", event.seq, event.task_id, ToUnixMicros(event.at),
                                           event.kind, event.fencing_token);
      for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
      if (event.kind == "claimed") ++out.claims;
      if (event.kind == "lease_expired") ++out.lease_expiries;
      if (event.kind == "lease_lost") ++out.refused;
    }
    out.fingerprint = hash;
    return out;
  }

  const bool trace_;
  SimEnv env_;
  Metrics metrics_;
  Weather weather_;
  test::ModelStore store_;
  Checker checker_;
  const Instant started_;
  const Instant chaos_until_;
  Instant chaos_due_;
  bool quiet_ = false;
  std::size_t steps_ = 0;
  std::vector<Host<DispatcherProcess>> dispatchers_;
  std::vector<Host<ReaperProcess>> reapers_;
  std::vector<Host<Client>> clients_;
};

}  // namespace

Outcome Simulate(const Options& options) { return World(options).Run(); }

}  // namespace seedcore::sim
