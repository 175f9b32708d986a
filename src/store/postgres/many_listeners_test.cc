// Many processes on one server, each a store of its own: who of them looks when a task can run. Their clock stands
// still unless a test moves it, so that nobody looks after a pause by chance.

#include <atomic>
#include <list>
#include <memory>
#include <semaphore>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kListeners = 16;

/// Looks whenever it is told to, and completes what it is given.
class ManyListener {
 public:
  ManyListener(TaskStore& tasks, bool claims) : tasks_(tasks) {
    if (claims) thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
    runnable_ = tasks.OnRunnable([this] {
      ++told;
      look_.release();
    });
  }
  ~ManyListener() {
    runnable_ = {};
    thread_.request_stop();
    look_.release();
  }

  std::atomic<int> told{0};
  std::atomic<int> empty{0};
  std::atomic<int> taken{0};

 private:
  void Loop(const std::stop_token& stop) {
    for (look_.acquire(); !stop.stop_requested(); look_.acquire()) {
      const auto claims = tasks_.ClaimTasks({.owner_id = "w", .limit = 4, .lease = seconds(30), .types = {}});
      ASSERT_TRUE(claims) << ToString(claims.error());
      if (claims->empty()) ++empty;
      for (const Claim& claim : *claims) {
        const std::vector<Finish> finishes{{claim.lease(), Completed{}, {}}};
        EXPECT_TRUE(tasks_.FinishTasks(finishes));
        ++taken;
      }
    }
  }

  TaskStore& tasks_;
  std::counting_semaphore<> look_{0};
  Subscription runnable_;
  std::jthread thread_;
};

class PostgresManyListeners : public testing::Test {
 protected:
  PostgresManyListeners() : database_(fmt::format("listeners_{}", ++databases_)) {
    TestServer::Shared().CreateDatabase(database_);
  }

  Store& Open() {
    auto store = OpenPostgresStore({.dsn = TestServer::Shared().Dsn(database_)}, env_, metrics_);
    if (!store) throw std::runtime_error(ToString(store.error()));
    stores_.push_back(std::move(*store));
    return *stores_.back();
  }
  /// Opens the stores of the listeners; returns one more, which knows of all of them.
  TaskStore& OpenAll(bool claim) {
    for (int i = 0; i < kListeners; ++i) listeners_.emplace_back(Open().tasks(), claim);
    auto connection = Connection::Open({.dsn = TestServer::Shared().Dsn(database_), .setup = {}});
    if (!connection) throw std::runtime_error(ToString(connection.error()));
    EXPECT_TRUE(Eventually([&] {
      const auto rows = (*connection)
                            ->RunOnce(
                                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                                "application_name ~ 'claims'",
                                {});
      return rows && rows->Int(0, 0) == kListeners;
    }));
    return Open().tasks();
  }
  static void Submit(TaskStore& tasks) {
    const std::vector<NewTask> task{{.type = "a"}};
    ASSERT_TRUE(tasks.Submit(task));
  }
  [[nodiscard]] int Sum(std::atomic<int> ManyListener::* of) const {
    int sum = 0;
    for (const ManyListener& listener : listeners_) sum += listener.*of;
    return sum;
  }
  /// `between` runs from look to look at `holds`.
  template <class Predicate, class Between>
  static bool Eventually(const Predicate& holds, const Between& between) {
    Env& real = RealEnv();
    const Instant give_up = real.Now() + seconds(60);
    while (!holds()) {
      if (real.Now() > give_up) return false;
      between();
      real.SleepFor(milliseconds(1), {});
    }
    return true;
  }
  template <class Predicate>
  static bool Eventually(const Predicate& holds) {
    return Eventually(holds, [] {});
  }

  static inline int databases_ = 0;
  SimEnv env_{3};
  Metrics metrics_;
  const std::string database_;
  std::list<std::unique_ptr<Store>> stores_;
  std::list<ManyListener> listeners_;
};

TEST_F(PostgresManyListeners, AFewOfThemLookForATask) {
  constexpr int kTasks = 40;
  TaskStore& submitter = OpenAll(true);
  for (int i = 1; i <= kTasks; ++i) {
    Submit(submitter);
    // That none of them looks at once happens with one task in 65,536.
    const Instant patience = RealEnv().Now() + seconds(10);
    ASSERT_TRUE(Eventually([&] { return Sum(&ManyListener::taken) == i; },
                           [&] {
                             if (RealEnv().Now() > patience) env_.Advance(milliseconds(2 * kListeners));
                           }));
  }
  // Everybody would be 640 times, 600 of them for nothing; half of them are expected.
  EXPECT_LT(Sum(&ManyListener::told), kTasks * kListeners * 3 / 4);
  EXPECT_LT(Sum(&ManyListener::empty), kTasks * (kListeners - 1) * 3 / 4);
  RecordProperty("told", Sum(&ManyListener::told));
  RecordProperty("empty", Sum(&ManyListener::empty));
}

TEST_F(PostgresManyListeners, WhileATaskIsLeftEachOfThemComesToLook) {
  TaskStore& submitter = OpenAll(false);
  for (int i = 0; i < 5; ++i) {
    std::vector<int> before;
    for (const ManyListener& listener : listeners_) before.push_back(listener.told);
    Submit(submitter);
    auto was = before.begin();
    for (const ManyListener& listener : listeners_) {
      EXPECT_TRUE(Eventually([&] { return listener.told > *was; }, [&] { env_.Advance(milliseconds(1)); }));
      ++was;
    }
  }
}

TEST_F(PostgresManyListeners, AWordFromSqlOrFromAnOlderProcessReachesEachOfThem) {
  TaskStore& submitter = OpenAll(false);
  Submit(submitter);
  for (const ManyListener& listener : listeners_) {
    ASSERT_TRUE(Eventually([&] { return listener.told > 0; }, [&] { env_.Advance(milliseconds(1)); }));
  }
  std::vector<int> before;
  for (const ManyListener& listener : listeners_) before.push_back(listener.told);
  TestServer::Shared().Execute(database_, "NOTIFY seedcore, 're'");
  auto was = before.begin();
  for (const ManyListener& listener : listeners_) {
    EXPECT_TRUE(Eventually([&] { return listener.told > *was; }, [&] { env_.Advance(milliseconds(1)); }));
    ++was;
  }
}

TEST_F(PostgresManyListeners, WhoBeginsToReadEventsIsToldOfThem) {
  TaskStore& writer = Open().tasks();  // it has counted nobody who reads
  Submit(writer);
  std::atomic<int> heard = 0;
  const Subscription events = Open().tasks().OnEvents([&] { ++heard; });
  EXPECT_TRUE(Eventually([&] { return heard > 0; }, [&] { Submit(writer); }));
}

}  // namespace
}  // namespace seedcore::store::postgres
