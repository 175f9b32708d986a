#include "coordinator/rule_book.h"

#include <condition_variable>
#include <fstream>

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "base/testing.h"

namespace seedcore::coordinator {
namespace {

class RuleBookTest : public testing::Test {
 protected:
  void Write(const std::string& action) {
    std::ofstream(file_) << "routing: [{when: '1', do: " << action << "}]\nmutations: [{when: '1', do: hold}]\n";
    // Two writes within the clock tick of the file system would look alike.
    std::filesystem::last_write_time(file_, std::filesystem::file_time_type(std::chrono::seconds(++writes_)));
  }
  static RouteAction ActionOf(const RuleBook& book) { return book.Current()->routing[0].action; }

  SimEnv env_;
  test::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "predicates.yaml";
  int writes_ = 0;
};

TEST_F(RuleBookTest, BeginsWithTheBuiltInRules) {
  const RuleBook book(env_);
  EXPECT_EQ(book.Current()->source, "built-in");
  EXPECT_EQ(book.Current()->loaded_at, env_.WallNow());
  EXPECT_GT(book.Current()->routing.size(), 10u);
}

TEST_F(RuleBookTest, KeepsTheLastGoodRulesWhenTheFileIsBad) {
  Write("hold");
  RuleBook book(env_, file_);
  ASSERT_TRUE(book.Load());
  Write("dance");
  EXPECT_EQ(book.Load().error().path, file_.string() + ":1");
  EXPECT_EQ(ActionOf(book), RouteAction::kHold);
  EXPECT_EQ(book.status().failures, 1u);
  EXPECT_TRUE(book.status().last_error);
  Write("retry");
  ASSERT_TRUE(book.Load());
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  EXPECT_FALSE(book.status().last_error);
}

TEST_F(RuleBookTest, AMissingFileIsAnError) {
  RuleBook book(env_, file_);
  EXPECT_EQ(book.Load().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(book.Current()->source, "built-in");
}

TEST_F(RuleBookTest, ASnapshotOutlivesTheReload) {
  Write("hold");
  RuleBook book(env_, file_);
  ASSERT_TRUE(book.Load());
  const auto before = book.Current();
  Write("retry");
  ASSERT_TRUE(book.Load());
  EXPECT_EQ(before->routing[0].action, RouteAction::kHold);
}

TEST_F(RuleBookTest, WatcherLoadsOnlyWhenTheFileChanged) {
  Write("hold");
  RuleBook book(env_, file_);
  RuleWatcher watcher(env_, book);
  EXPECT_FALSE(watcher.Look());
  Write("retry");
  EXPECT_TRUE(watcher.Look());
  EXPECT_FALSE(watcher.Look());
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  std::filesystem::remove(file_);
  EXPECT_FALSE(watcher.Look());
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
}

TEST_F(RuleBookTest, WatcherLooksOnceASecondAndStopsAtOnce) {
  Write("hold");
  RuleBook book(env_, file_);
  {
    RuleWatcher watcher(env_, book);
    watcher.Start();
    Write("retry");
    env_.AwaitWaiters(1);
    env_.Advance(std::chrono::seconds(1));
    // The look is over once the watcher waits for the next second: then two more have gone by without a change.
    while (book.status().loads == 0) {
      env_.AwaitWaiters(1);
      env_.Advance(std::chrono::seconds(1));
    }
  }
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  EXPECT_EQ(book.status().loads, 1u);
}

}  // namespace
}  // namespace seedcore::coordinator
