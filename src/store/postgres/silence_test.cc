// A server that stops in the middle of an answer, as one does that is frozen with its machine, or behind a network that
// swallows: the caller gets an error that may be retried, and nothing is lost.
#include <csignal>
#include <semaphore>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/notifier.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr milliseconds kAnswerTimeout{300};

/// Server processes that stand still, until they go on.
class Frozen {
 public:
  Frozen(Connection& observer, const std::string& where) {
    const Rows rows = Must(observer.RunOnce("SELECT pid FROM pg_stat_activity WHERE " + where, {}));
    for (int row = 0; row < rows.size(); ++row) {
      pids_.push_back(static_cast<pid_t>(rows.Int(row, 0)));
      ::kill(pids_.back(), SIGSTOP);
    }
  }
  ~Frozen() {
    for (const pid_t pid : pids_) ::kill(pid, SIGCONT);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  [[nodiscard]] std::size_t count() const { return pids_.size(); }

 private:
  std::vector<pid_t> pids_;
};

class SilencePostgres : public testing::Test {
 protected:
  SilencePostgres() {
    static int made = 0;
    database_ = fmt::format("silence_{}", ++made);
    server_.CreateDatabase(database_);
  }
  std::unique_ptr<Connection> Connect(milliseconds answer_timeout) {
    return Must(Connection::Open({.dsn = server_.Dsn(database_), .answer_timeout = answer_timeout, .setup = {}}));
  }

  TestServer& server_ = TestServer::Shared();
  std::string database_;
  SimEnv env_;
  Metrics metrics_;
};

TEST_F(SilencePostgres, AConnectionIsGivenUpThatDoesNotAnswer) {
  const auto observer = Connect(std::chrono::minutes(5));
  const auto connection = Connect(std::chrono::minutes(5));
  const auto pid = Must(connection->Query("SELECT pg_backend_pid()")).Int(0, 0);
  connection->set_answer_timeout(kAnswerTimeout);
  const Frozen frozen(*observer, fmt::format("pid = {}", pid));
  const auto answer = connection->Query("SELECT 1");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("has not answered within 300 ms"));
  EXPECT_FALSE(connection->IsUsable());
  EXPECT_FALSE(connection->Script("SELECT 1")) << "and at once";
}

TEST_F(SilencePostgres, AServerThatTakesNothingMoreIsGivenUp) {
  const auto observer = Connect(std::chrono::minutes(5));
  const auto connection = Connect(std::chrono::minutes(5));
  const auto pid = Must(connection->Query("SELECT pg_backend_pid()")).Int(0, 0);
  connection->set_answer_timeout(kAnswerTimeout);
  const Frozen frozen(*observer, fmt::format("pid = {}", pid));
  const std::string large(64 << 20, 'x');  // more than any socket holds
  EXPECT_EQ(CodeOf(connection->Query("SELECT length($1::text)", std::string_view(large))), ErrorCode::kUnavailable);
}

TEST_F(SilencePostgres, AnAnswerThatComesInPiecesMayTakeLonger) {
  const auto connection = Connect(std::chrono::seconds(3));
  // Each piece is more than the server gathers before it sends: the next must come within the time.
  const auto rows = connection->RunOnce("SELECT repeat('x', 20000), pg_sleep(0.5) FROM generate_series(1, 8)", {});
  ASSERT_TRUE(rows) << ToString(rows.error());
  EXPECT_EQ(rows->size(), 8);
}

TEST_F(SilencePostgres, AWordThatTheServerDoesNotTakeIsSentAgain) {
  const auto observer = Connect(std::chrono::minutes(5));
  Must(observer->Script("LISTEN seedcore"));
  Signal runnable, events;
  std::counting_semaphore<> heard{0};
  const Subscription on_events = events.Connect([&] { heard.release(); });
  Notifier notifier({.dsn = server_.Dsn(database_), .answer_timeout = kAnswerTimeout, .setup = {}}, RealEnv(), runnable,
                    events);
  do {
    Must(observer->Script("NOTIFY seedcore, 'e'"));
  } while (!heard.try_acquire_for(milliseconds(20)));  // until it listens
  const Frozen frozen(*observer, "application_name = 'seedcore reads' AND datname = current_database()");
  ASSERT_EQ(frozen.count(), 1u);
  notifier.Tell({.tasks = 7}, false);
  std::int64_t told = 0;
  for (const Instant until = RealEnv().Now() + std::chrono::seconds(20); told == 0 && RealEnv().Now() < until;) {
    Must(observer->Query("SELECT 1"));
    for (const auto& word : observer->TakeNotifications()) told += ReadPayload(word.payload).runnable.tasks;
  }
  EXPECT_EQ(told, 7);
}

TEST_F(SilencePostgres, AStoreGoesOnOverNewConnectionsAndLosesNothing) {
  const auto observer = Connect(std::chrono::minutes(5));
  const auto store = Must(
      OpenPostgresStore({.dsn = server_.Dsn(database_), .answer_timeout = std::chrono::seconds(3)}, env_, metrics_));
  const auto submit = [&] { return store->tasks().Submit(std::vector<NewTask>{{.type = "a"}}); };
  ASSERT_TRUE(submit());
  // One that writes, and one that listens, which connects by itself.
  const std::string connected =
      "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
  while (Must(observer->RunOnce("SELECT count(*) FROM pg_stat_activity WHERE " + connected, {})).Int(0, 0) < 2) {
  }
  {
    const Frozen frozen(*observer, connected);
    ASSERT_GE(frozen.count(), 2u);
    const auto refused = submit();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(IsRetryable(refused.error().code));
    EXPECT_TRUE(submit()) << "over a connection of its own";
  }
  EXPECT_GE(Must(store->tasks().Counts()).by_status[TaskStatus::kQueued], 2);
}

}  // namespace
}  // namespace seedcore::store::postgres
