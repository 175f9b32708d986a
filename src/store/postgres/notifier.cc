#include "store/postgres/notifier.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/log.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kListen[] = "LISTEN seedcore";
constexpr char kNotify[] = "SELECT pg_notify('seedcore', $1)";
// Over a connection whose other commits are durable. A notification need not be, and holds a lock of the server until
// it is committed.
constexpr char kNotifyBehind[] = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('seedcore', $1)";
// Names are shown to every role, whatever it may see of the rest.
constexpr char kName[] = "SELECT set_config('application_name', $1, false)";
constexpr char kCountListeners[] =
    "SELECT count(*) FILTER (WHERE application_name IN ('seedcore claims', 'seedcore claims and reads')), "
    "count(*) FILTER (WHERE application_name IN ('seedcore reads', 'seedcore claims and reads')) "
    "FROM pg_stat_activity WHERE datname = current_database()";
constexpr int kReconnectMs = 500;
/// Since the last NOTIFY of this process could have been sent: an announcement costs the server another one.
constexpr std::chrono::milliseconds kQuiet{5};
/// Between two counts, times 0.5 to 1.5; a NOTIFY carries its sender's count to everybody.
constexpr std::chrono::seconds kCountEvery{60};
constexpr std::chrono::minutes kOldOnesStay{10};
constexpr std::chrono::minutes kLongestWait{1};

void Drain(int wake) {
  std::uint64_t count = 0;
  (void)!::read(wake, &count, sizeof count);
}

const char* NameOf(bool claims, bool reads) {
  if (claims) return reads ? "seedcore claims and reads" : "seedcore claims";
  return reads ? "seedcore reads" : "seedcore listens";
}

}  // namespace

Notifier::Notifier(ConnectSettings settings, Env& env, Signal& runnable, Signal& events)
    : settings_(std::move(settings)),
      env_(env),
      runnable_(runnable),
      events_(events),
      wake_ups_(env),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      marks_(env.Random()),
      random_(env.Random()) {
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::jthread([this] { Loop(); });
}

Notifier::~Notifier() {
  stopping_ = true;
  Wake();
  thread_.join();
  ::close(wake_);
}

void Notifier::Wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

void Notifier::Tell(std::int64_t runnable, bool events, std::uint32_t announced) {
  // What is still to be told has woken the thread already.
  bool news_runnable = false;
  if (runnable > 0) {
    const std::scoped_lock lock(mutex_);
    news_runnable = tell_runnable_ == 0;
    tell_mark_ = news_runnable ? announced : 0;
    tell_runnable_ += runnable;
  }
  const bool news_events = events && somebody_reads_ && !tell_events_.exchange(true);
  if (news_runnable || news_events) Wake();
}

std::optional<Word> Notifier::TakeWord(const Wakes& wakes, bool events) {
  Notice notice{.runnable = {.tasks = wakes.runnable}, .events = events && somebody_reads_};
  bool quiet = false;
  {
    const std::scoped_lock lock(mutex_);
    const Instant now = RealEnv().Now();
    if (now < notify_at_ || drained_ || tell_runnable_ > 0) return std::nullopt;
    quiet = now >= notify_at_ + kQuiet;
    notify_at_ = now + wake_ups_.notify_pause();
    notice.runnable.mark = NewMark();
    marks_taken_.at(next_taken_++ % marks_taken_.size()) = notice.runnable.mark;
  }
  notice.listeners = Known();
  const int claimers = notice.listeners ? notice.listeners->claimers : 0;
  const int others = claimers - (runnable_.HasListeners() ? 1 : 0);
  if (quiet && wakes.announce && others > 0 && claimers <= WakeUps::kAtOnce) {
    notice = {.announced = notice.runnable.mark, .listeners = notice.listeners};
  }
  return Word{{kNotifyBehind, MakeParams(ToPayload(notice))}, notice.announced};
}

void Notifier::Tell(const Drained& drained) {
  {
    const std::scoped_lock lock(mutex_);
    drained_ = drained;
  }
  Wake();
}

void Notifier::ListenersChanged() {
  if (!listeners_changed_.exchange(true)) Wake();
  tried_.wait();
}

void Notifier::Emit(bool runnable, bool events) {
  if (runnable) runnable_.Emit();
  if (events) events_.Emit();
}

void Notifier::Loop() {
  for (bool first = true; !stopping_; first = false) {
    Listen(first);
    if (stopping_) return;
    pollfd stop{.fd = wake_, .events = POLLIN, .revents = 0};
    // Commits of this process also end the wait; they only make the next try come sooner.
    Drain(wake_);
    ::poll(&stop, 1, kReconnectMs);
  }
}

void Notifier::Listen(bool first) {
  const auto connection = Connection::Open(settings_);
  if (!connection && !std::exchange(is_cut_off_, true)) {
    log::Warning("no connection for notifications", {{"error", connection.error().message}});
  }
  const bool listens = connection && Begin(**connection);
  if (listens && std::exchange(is_cut_off_, false)) log::Info("notifications come again", {});
  if (first) tried_.count_down();
  if (!listens) return;
  if (!first) Emit(true, true);  // what was committed since the first try is not told again
  Serve(**connection);
}

bool Notifier::Begin(Connection& connection) {
  name_.clear();
  count_at_ = {};
  wake_ups_.HearOwn({});  // words may have been missed: no claim since then says anything
  return connection.Script(kListen) && CountInTime(connection);
}

void Notifier::Serve(Connection& connection) {
  for (;;) {
    // Drained first: whoever stops this thread sets the flag and then wakes it, and that waking may be gone by now.
    Drain(wake_);
    if (stopping_) {
      (void)Send(connection);  // a process that ends right after its commit
      return;
    }
    if (listeners_changed_.exchange(false) && !Introduce(connection)) return;
    if (!CountInTime(connection)) return;
    if (!Send(connection) || !connection.IsUsable()) return;
    Hear(connection);
    if (wake_ups_.TakeDue()) Emit(true, false);
    std::array<pollfd, 2> ready{
        {{.fd = connection.socket(), .events = POLLIN, .revents = 0}, {.fd = wake_, .events = POLLIN, .revents = 0}}};
    const timespec wait = LongestWait();
    ::ppoll(ready.data(), ready.size(), &wait, nullptr);
  }
}

bool Notifier::Introduce(Connection& connection) {
  const bool claims = runnable_.HasListeners(), reads = events_.HasListeners();
  std::string name = NameOf(claims, reads);
  if (name == name_) return true;
  const bool began_to_claim = claims && !name_.contains("claims");
  const bool began_to_read = reads && !name_.ends_with("reads");
  if (!connection.Query(kName, std::string_view(name))) return false;
  name_ = std::move(name);
  if (!began_to_claim && !began_to_read) return true;
  if (!Count(connection)) return false;
  // Others may have counted nobody who reads; they tell of events as soon as they hear this. And while few claim, each
  // one matters: what is announced, and to whom. Of many that begin together some tell.
  const Listeners found = wake_ups_.listeners();
  const bool tells = std::uniform_real_distribution(0.0, 1.0)(random_) * found.claimers < WakeUps::kAtOnce;
  if (!began_to_read && !tells) return true;
  return connection.Query(kNotify, ToPayload({.hello = began_to_read, .listeners = found})).has_value();
}

bool Notifier::CountInTime(Connection& connection) {
  if (env_.Now() < count_at_) return true;
  return Introduce(connection) && (env_.Now() < count_at_ || Count(connection));
}

bool Notifier::Count(Connection& connection) {
  const auto rows = connection.Query(kCountListeners);
  if (!rows) return false;
  const Listeners found{static_cast<int>(rows->Int(0, 0)), static_cast<int>(rows->Int(0, 1))};
  wake_ups_.Know(found);
  counted_ = true;
  somebody_reads_ = found.readers > 0 || env_.Now() < old_until_;
  count_at_ = env_.Now() + std::chrono::duration_cast<std::chrono::milliseconds>(
                               kCountEvery * std::uniform_real_distribution(0.5, 1.5)(random_));
  return true;
}

bool Notifier::Send(Connection& connection) {
  Notice notice = TakeNews();
  if (notice.runnable.tasks == 0 && !notice.events && !notice.drained) return true;
  notice.listeners = Known();
  if (connection.Query(kNotify, ToPayload(notice))) return true;
  Tell(notice.runnable.tasks, notice.events);  // once more over the next connection: perhaps nobody has heard it
  return false;
}

/// Nothing, as long as it is too early and there is a later.
Notice Notifier::TakeNews() {
  Notice news;
  const std::scoped_lock lock(mutex_);
  const Instant now = RealEnv().Now();
  if (now < notify_at_ && !stopping_) return news;
  news.runnable.tasks = std::exchange(tell_runnable_, 0);
  const std::uint32_t announced = std::exchange(tell_mark_, 0);
  news.events = tell_events_.exchange(false);
  news.drained = std::exchange(drained_, std::nullopt);
  if (news.drained && !wake_ups_.IsNews(*news.drained)) news.drained.reset();
  if (news.runnable.tasks == 0 && !news.events && !news.drained) return news;
  // What is committed meanwhile goes into the next NOTIFY.
  notify_at_ = now + wake_ups_.notify_pause();
  news.runnable.mark = announced != 0 ? announced : NewMark();
  return news;
}

std::optional<Listeners> Notifier::Known() const {
  return counted_ ? std::optional(wake_ups_.listeners()) : std::nullopt;
}

/// Under mutex_.
std::uint32_t Notifier::NewMark() {
  std::uint32_t mark = 0;
  while (mark == 0) mark = static_cast<std::uint32_t>(marks_());
  return mark;
}

bool Notifier::HasTaken(std::uint32_t mark) {
  const std::scoped_lock lock(mutex_);
  return mark != 0 && std::ranges::find(marks_taken_, mark) != marks_taken_.end();
}

void Notifier::Hear(Connection& connection) {
  bool runnable = false, events = false;
  for (const auto& [payload, from_here] : connection.TakeNotifications()) {
    const Notice notice = ReadPayload(payload);
    const std::uint32_t mark = std::max(notice.runnable.mark, notice.announced);
    const bool own = from_here || HasTaken(mark);
    // It speaks of a word that stands before this one.
    if (notice.drained) wake_ups_.HearDrained(*notice.drained);
    if (notice.runnable.tasks > 0 && own) wake_ups_.HearOwn(notice.runnable);
    if (own) continue;
    if (notice.listeners) wake_ups_.Know(*notice.listeners);
    if (notice.older) old_until_ = env_.Now() + kOldOnesStay;
    if (notice.hello || notice.older || (notice.listeners && notice.listeners->readers > 0)) somebody_reads_ = true;
    if (notice.announced != 0 && wake_ups_.HearAnnounced(notice.announced)) runnable = true;
    if (notice.runnable.tasks > 0 && wake_ups_.Hear(notice.runnable)) runnable = true;
    events = events || notice.events;
  }
  Emit(runnable, events);
}

/// Until something is to be done that no descriptor tells of.
timespec Notifier::LongestWait() {
  Instant until = count_at_;
  if (const auto look = wake_ups_.next_look()) until = std::min(until, *look);
  std::chrono::nanoseconds wait = std::min<std::chrono::nanoseconds>(until - env_.Now(), kLongestWait);
  {
    const std::scoped_lock lock(mutex_);
    const bool news = tell_runnable_ > 0 || tell_events_ || drained_.has_value();
    if (news) wait = std::min<std::chrono::nanoseconds>(wait, notify_at_ - RealEnv().Now());
  }
  wait = std::max(wait, std::chrono::nanoseconds(0));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
  return {.tv_sec = seconds.count(), .tv_nsec = (wait - seconds).count()};
}

}  // namespace seedcore::store::postgres
