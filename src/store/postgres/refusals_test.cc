// What PostgreSQL refuses while a store is in use: each is one clear error, and nothing is lost.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/testing.h"
#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class RefusalsPostgres : public testing::Test {
 protected:
  RefusalsPostgres() {
    static int made = 0;
    database_ = fmt::format("refusals_{}", ++made);
    server_.CreateDatabase(database_);
  }
  std::unique_ptr<Store> Open() { return Must(OpenPostgresStore({.dsn = server_.Dsn(database_)}, env_, metrics_)); }
  static Result<std::vector<SubmitResult>> Submit(Store& store) {
    return store.tasks().Submit(std::vector<NewTask>{{.type = "a"}});
  }

  TestServer& server_ = TestServer::Shared();
  std::string database_;
  SimEnv env_;
  Metrics metrics_;
};

TEST_F(RefusalsPostgres, AStatementThatTakesTooLongIsAnErrorThatMayBeRetried) {
  const std::string id = Must(Submit(*Open())).front().task.id;
  // A store in a hurry may also be refused what is not held up, or lose its connection between two statements, when the
  // machine is busy: whatever has to come about is tried again.
  std::unique_ptr<Store> hurried;
  ASSERT_TRUE(test::Eventually([&] {
    auto opened =
        OpenPostgresStore({.dsn = server_.Dsn(database_), .statement_timeout = milliseconds(100)}, env_, metrics_);
    if (opened) hurried = std::move(*opened);
    return opened.has_value();
  }));
  const auto holder =
      Must(Connection::Open({.dsn = server_.Dsn(database_), .setup = "SET idle_in_transaction_session_timeout = 0"}));
  Must(holder->Script("BEGIN; SELECT 1 FROM tasks FOR UPDATE"));
  EXPECT_TRUE(test::Eventually([&] {
    const auto refused = hurried->tasks().Cancel(id);
    EXPECT_EQ(CodeOf(refused), ErrorCode::kUnavailable);
    return !refused && refused.error().message.contains("took longer than allowed");
  }));
  Must(holder->Script("ROLLBACK"));
  EXPECT_TRUE(test::Eventually([&] {
    const auto cancelled = hurried->tasks().Cancel(id);
    return cancelled && cancelled->status == TaskStatus::kCancelled;
  }));
}

TEST_F(RefusalsPostgres, ADatabaseThatBecomesReadOnlyIsNamedAndWorkGoesOnAfterwards) {
  Must(Submit(*Open()));
  server_.Execute("postgres", fmt::format("ALTER DATABASE {} SET default_transaction_read_only = on", database_));
  const auto opened = OpenPostgresStore({.dsn = server_.Dsn(database_)}, env_, metrics_);
  if (opened) {
    const auto refused = Submit(**opened);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("read-only"));
    EXPECT_FALSE((*opened)->CheckHealth().writable);
  } else {
    EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(opened.error().message, HasSubstr("read-only"));
  }
  server_.Execute("postgres", fmt::format("ALTER DATABASE {} RESET default_transaction_read_only", database_));
  const auto store = Open();
  EXPECT_TRUE(Submit(*store));
  EXPECT_EQ(Must(store->tasks().Counts()).by_status[TaskStatus::kQueued], 2);
}

TEST_F(RefusalsPostgres, ATextLargerThanAnIndexHoldsIsRefusedAndOnlyThat) {
  const auto store = Open();
  std::string text;
  for (int i = 0; text.size() < 4'000'000; ++i) text += fmt::format("word{} ", i);
  EXPECT_EQ(CodeOf(store->facts().Add({.text = text})), ErrorCode::kPayloadTooLarge);
  EXPECT_TRUE(store->facts().Add({.text = "short"}));
  EXPECT_EQ(Must(store->facts().Count()), 1);
}

TEST_F(RefusalsPostgres, APermissionThatIsTakenAwayIsNamed) {
  Must(Submit(*Open()));
  server_.Execute(database_,
                  "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 's3cret-of-tests'; "
                  "GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
  std::string dsn = server_.Dsn(database_);
  dsn.replace(dsn.find("seedcore:"), 9, "reader:");
  const auto refused = OpenPostgresStore({.dsn = dsn}, env_, metrics_);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("permission"));
  server_.Execute(database_, "DROP OWNED BY reader; DROP ROLE reader");
}

}  // namespace
}  // namespace seedcore::store::postgres
