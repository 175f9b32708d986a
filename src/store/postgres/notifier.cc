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
    "count(*) FILTER (WHERE application_name IN ('seedcore reads', 'seedcore claims and reads')), "
    "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint "
    "FROM pg_stat_activity WHERE datname = current_database()";
// $1 tasks that have ended, $2 at most. How many of those that depended on them can be claimed by now, or at a time,
// and whether there are limits, under which each of them left room.
constexpr char kCountReleased[] =
    "SELECT count(*) FILTER (WHERE t.runnable = 1), count(*) FILTER (WHERE t.runnable = 2), "
    "EXISTS (SELECT 1 FROM queue_limit) FROM (SELECT DISTINCT o.id FROM (SELECT d.id FROM unnest($1::uuid[]) AS done "
    "(id) "
    "CROSS JOIN LATERAL (SELECT src_task_id AS id FROM task_depends_on_task WHERE dst_task_id = done.id OFFSET 0) d "
    "LIMIT $2) o OFFSET 0) r CROSS JOIN LATERAL (SELECT runnable FROM tasks WHERE id = r.id LIMIT 1) t";
// $1 how far to look, in the order of claims. Those that have waited for their time.
constexpr char kCountDue[] =
    "SELECT count(*) FROM (SELECT seq FROM task_ready ORDER BY turn, seq LIMIT $1) r "
    "CROSS JOIN LATERAL (SELECT run_after FROM tasks WHERE seq = r.seq LIMIT 1) t WHERE t.run_after IS NOT NULL";
/// Of them as many as others are told of exactly.
constexpr std::int64_t kMostReleased = 10'000;
/// As many as a claim makes claimable in one go, twice over.
constexpr std::int64_t kMostDue = 512;
/// Tasks that have ended and are kept until others are told.
constexpr std::size_t kMostEnded = 10'000;
constexpr int kReconnectMs = 500;
/// Since the last NOTIFY of this process could have been sent: an announcement costs the server another one.
constexpr std::chrono::milliseconds kQuiet{5};
/// Between two counts, times 0.5 to 1.5; a NOTIFY carries its sender's last one to everybody. Of several the one that
/// began last by the server's clock knows of all who had named their connections before they began theirs.
constexpr std::chrono::seconds kCountEvery{60};
/// A reader that has not been told looks about that often; older events it has found.
constexpr std::chrono::seconds kUntoldFor{10};
/// For a server that is to learn that this process ends.
constexpr std::chrono::seconds kLastAnswer{5};
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

void MadeRunnable::Add(MadeRunnable more) {
  tasks += more.tasks;
  later = later || more.later;
  due = due || more.due;
  if (ended.empty()) {
    ended = std::move(more.ended);
  } else {
    std::ranges::move(more.ended, std::back_inserter(ended));
  }
  if (ended.size() <= kMostEnded) return;
  tasks += static_cast<std::int64_t>(ended.size() - kMostEnded);  // at least
  ended.resize(kMostEnded);
}

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
  runnable_.OnLeave([this] {
    listeners_changed_ = true;
    Wake();
  });
  thread_ = std::jthread([this] { Loop(); });
}

Notifier::~Notifier() {
  runnable_.OnLeave({});
  stopping_ = true;
  Wake();
  thread_.join();
  ::close(wake_);
}

void Notifier::Wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

void Notifier::Tell(MadeRunnable made, bool events, std::uint32_t announced) {
  // What is still to be told has woken the thread already.
  bool news_runnable = false;
  if (made.any()) {
    const std::scoped_lock lock(mutex_);
    news_runnable = !tell_.any();
    tell_mark_ = news_runnable ? announced : 0;
    tell_.Add(std::move(made));
  }
  // In this order: whoever hears hello writes the second and then reads the first.
  if (events) appended_at_ = RealEnv().Now();
  const bool news_events = events && somebody_reads_ && !tell_events_.exchange(true);
  if (news_runnable || news_events) Wake();
}

std::optional<Word> Notifier::TakeWord(const Wakes& wakes, bool events) {
  Notice notice{.runnable = {.tasks = wakes.runnable}, .events = events && somebody_reads_};
  bool quiet = false;
  {
    const std::scoped_lock lock(mutex_);
    const Instant now = RealEnv().Now();
    if (now < notify_at_ || drained_ || tell_.any()) return std::nullopt;
    quiet = now >= notify_at_ + kQuiet;
    notify_at_ = now + wake_ups_.notify_pause();
    notice.runnable.mark = NewMark();
    marks_taken_.at(next_taken_++ % marks_taken_.size()) = notice.runnable.mark;
  }
  AddKnown(notice);
  const int claimers = notice.listeners ? wake_ups_.listeners().claimers : 0;
  const int others = claimers - (runnable_.HasListeners() ? 1 : 0);
  if (quiet && wakes.announce && others > 0 && claimers <= WakeUps::kAtOnce) {
    notice = {.announced = notice.runnable.mark, .listeners = notice.listeners, .counted_at = notice.counted_at};
  }
  return Word{{kNotifyBehind, MakeParams(ToPayload(notice))}, notice.announced, notice.events};
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
      // A process that ends right after its commit.
      if (Send(connection)) Leave(connection);
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
  return Introduce(connection, runnable_.HasListeners(), events_.HasListeners());
}

void Notifier::Leave(Connection& connection) {
  if (!name_.contains("claims")) return;
  connection.set_answer_timeout(std::min<std::chrono::milliseconds>(kLastAnswer, connection.answer_timeout()));
  (void)Introduce(connection, false, false);
}

bool Notifier::Introduce(Connection& connection, bool claims, bool reads) {
  std::string name = NameOf(claims, reads);
  if (name == name_) return true;
  const bool claims_otherwise = claims != name_.contains("claims");
  const bool began_to_read = reads && !name_.ends_with("reads");
  if (!connection.Query(kName, std::string_view(name))) return false;
  name_ = std::move(name);
  if (!claims_otherwise && !began_to_read) return true;
  if (!Count(connection)) return false;
  // Others may have counted nobody who reads; they tell of events as soon as they hear this. And while few claim, each
  // one matters: what is announced, and to whom. Who ends it tells, too: the others would take it for one that looks.
  // Of many that begin or end together some tell, and of the last ones all.
  const Listeners found = wake_ups_.listeners();
  const bool tells = std::uniform_real_distribution(0.0, 1.0)(random_) * found.claimers < WakeUps::kAtOnce;
  if (!began_to_read && !tells) return true;
  Notice notice{.hello = began_to_read};
  AddKnown(notice);
  return connection.Query(kNotify, ToPayload(notice)).has_value();
}

bool Notifier::CountInTime(Connection& connection) {
  if (env_.Now() < count_at_) return true;
  return Introduce(connection) && (env_.Now() < count_at_ || Count(connection));
}

bool Notifier::Count(Connection& connection) {
  const auto rows = connection.Query(kCountListeners);
  if (!rows) return false;
  const Listeners found{static_cast<int>(rows->Int(0, 0)), static_cast<int>(rows->Int(0, 1))};
  wake_ups_.Know(found, rows->Int(0, 2));
  {
    const std::scoped_lock lock(mutex_);
    own_count_ = {found, rows->Int(0, 2)};
  }
  counted_ = true;
  somebody_reads_ = found.readers > 0 || env_.Now() < old_until_;
  count_at_ = env_.Now() + std::chrono::duration_cast<std::chrono::milliseconds>(
                               kCountEvery * std::uniform_real_distribution(0.5, 1.5)(random_));
  return true;
}

bool Notifier::Send(Connection& connection) {
  std::optional<News> news = TakeNews();
  if (!news) return true;
  // Once more over the next connection: perhaps nobody has heard it.
  const auto keep = [&] {
    Tell(std::move(news->made), news->events);
    return false;
  };
  MadeRunnable made = news->made;
  if (!CountTasks(connection, made)) return keep();
  Notice notice{.runnable = {.tasks = made.tasks}, .events = news->events, .drained = news->drained};
  if (made.later) notice.runnable.tasks = std::max<std::int64_t>(made.tasks, 1);
  if (notice.runnable.tasks == 0 && !notice.events && !notice.drained) return true;
  if (!made.later && made.tasks > 0) notice.runnable.mark = news->mark;
  AddKnown(notice);
  return connection.Query(kNotify, ToPayload(notice)) || keep();
}

/// Nothing, as long as it is too early and there is a later.
std::optional<Notifier::News> Notifier::TakeNews() {
  const std::scoped_lock lock(mutex_);
  const Instant now = RealEnv().Now();
  if (now < notify_at_ && !stopping_) return std::nullopt;
  News news{.made = std::exchange(tell_, {}),
            .mark = std::exchange(tell_mark_, 0),
            .events = tell_events_.exchange(false),
            .drained = std::exchange(drained_, std::nullopt)};
  if (news.drained && !wake_ups_.IsNews(*news.drained)) news.drained.reset();
  if (!news.made.any() && !news.events && !news.drained) return std::nullopt;
  // What is committed meanwhile goes into the next NOTIFY.
  notify_at_ = now + wake_ups_.notify_pause();
  if (news.mark == 0) news.mark = NewMark();
  return news;
}

bool Notifier::CountTasks(Connection& connection, MadeRunnable& made) const {
  if (made.ended.empty() && !made.due) return true;
  if (!counted_ || wake_ups_.listeners().claimers <= WakeUps::kAtOnce) {
    // All look at once, however many tasks there are.
    made.tasks += std::ssize(made.ended) + (made.due ? 1 : 0);
    made.later = true;
    return true;
  }
  if (!made.ended.empty()) {
    Array ids(Oid::kUuid);
    for (const std::string& id : made.ended) ids.Add(Uuid{id});
    const auto rows = connection.Query(kCountReleased, ids, kMostReleased);
    if (!rows) return false;
    made.tasks += rows->Int(0, 0) + (rows->Bool(0, 2) ? std::ssize(made.ended) : 0);
    if (rows->Int(0, 1) > 0) made.later = true;
  }
  if (made.due) {
    const auto rows = connection.Query(kCountDue, kMostDue);
    if (!rows) return false;
    made.tasks += std::max<std::int64_t>(rows->Int(0, 0), 1);
  }
  return true;
}

void Notifier::AddKnown(Notice& notice) const {
  if (!counted_) return;
  const std::scoped_lock lock(mutex_);
  notice.listeners = own_count_.first;
  notice.counted_at = own_count_.second;
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
    const bool counted = notice.listeners && wake_ups_.HearCounted(*notice.listeners, notice.counted_at);
    if (notice.older) old_until_ = env_.Now() + kOldOnesStay;
    if (notice.hello || notice.older || (counted && notice.listeners->readers > 0)) somebody_reads_ = true;
    if (notice.hello && RealEnv().Now() - kUntoldFor < appended_at_.load()) tell_events_ = true;
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
    const bool news = tell_.any() || tell_events_ || drained_.has_value();
    if (news) wait = std::min<std::chrono::nanoseconds>(wait, notify_at_ - RealEnv().Now());
  }
  wait = std::max(wait, std::chrono::nanoseconds(0));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
  return {.tv_sec = seconds.count(), .tv_nsec = (wait - seconds).count()};
}

}  // namespace seedcore::store::postgres
