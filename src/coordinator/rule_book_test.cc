#include "coordinator/rule_book.h"

#include <condition_variable>
#include <fstream>
#include <mutex>

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
  RuleSources Sources() { return {.shared = {}, .file = file_}; }
  /// With shared rules before the file.
  RuleSources SharedSources() {
    return {.shared = [this](std::int64_t known) -> Result<std::optional<SharedRules>> {
              const std::lock_guard lock(mutex_);
              if (unreachable_) return Fail(ErrorCode::kUnavailable, "nobody answers");
              if (newest_.version == known) return std::nullopt;
              return newest_;
            },
            .file = file_};
  }
  void Share(std::optional<std::string> action) {
    const std::lock_guard lock(mutex_);
    ++newest_.version;
    newest_.text.reset();
    if (action) newest_.text = "routing: [{when: '1', do: " + *action + "}]\nmutations: [{when: '1', do: hold}]\n";
  }
  void SetUnreachable(bool unreachable) {
    const std::lock_guard lock(mutex_);
    unreachable_ = unreachable;
  }
  static RouteAction ActionOf(const RuleBook& book) { return book.Current()->routing[0].action; }

  SimEnv env_;
  test::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "predicates.yaml";
  int writes_ = 0;

 private:
  std::mutex mutex_;  // a watcher has a thread of its own
  SharedRules newest_;
  bool unreachable_ = false;
};

TEST_F(RuleBookTest, BeginsWithTheBuiltInRules) {
  const RuleBook book(env_);
  EXPECT_EQ(book.Current()->source, "built-in");
  EXPECT_EQ(book.Current()->loaded_at, env_.WallNow());
  EXPECT_GT(book.Current()->routing.size(), 10u);
}

TEST_F(RuleBookTest, KeepsTheLastGoodRulesWhenTheFileIsBad) {
  Write("hold");
  RuleBook book(env_, Sources());
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
  RuleBook book(env_, Sources());
  EXPECT_EQ(book.Load().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(book.Current()->source, "built-in");
}

TEST_F(RuleBookTest, ASnapshotOutlivesTheReload) {
  Write("hold");
  RuleBook book(env_, Sources());
  ASSERT_TRUE(book.Load());
  const auto before = book.Current();
  Write("retry");
  ASSERT_TRUE(book.Load());
  EXPECT_EQ(before->routing[0].action, RouteAction::kHold);
}

TEST_F(RuleBookTest, WatcherLoadsOnlyWhenTheFileChanged) {
  Write("hold");
  RuleBook book(env_, Sources());
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
  RuleBook book(env_, Sources());
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

TEST_F(RuleBookTest, SharedRulesGoBeforeTheFile) {
  Write("hold");
  RuleBook book(env_, SharedSources());
  ASSERT_TRUE(book.Load());
  EXPECT_EQ(ActionOf(book), RouteAction::kHold);
  EXPECT_EQ(book.Current()->shared_version, 0);
  Share("retry");
  EXPECT_EQ(book.LoadShared(), true);
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  EXPECT_EQ(book.Current()->shared_version, 1);
  EXPECT_EQ(book.Current()->source, "store, version 1");
  EXPECT_EQ(book.LoadShared(), false);
  EXPECT_EQ(book.status().loads, 2u);
  ASSERT_TRUE(book.Load()) << "what is known already is loaded again";
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  Share(std::nullopt);
  EXPECT_EQ(book.LoadShared(), true);
  EXPECT_EQ(ActionOf(book), RouteAction::kHold);
}

TEST_F(RuleBookTest, SharedRulesThatCannotBeReadAreRefusedOnce) {
  Share("dance");
  RuleBook book(env_, SharedSources());
  EXPECT_EQ(book.LoadShared().error().path, "store, version 1:1");
  EXPECT_EQ(book.Current()->source, "built-in");
  EXPECT_EQ(book.LoadShared(), false);
  EXPECT_EQ(book.status().failures, 1u);
  EXPECT_TRUE(book.status().last_error);
}

TEST_F(RuleBookTest, RulesStayWhileNobodyKnowsWhetherThereAreNewerOnes) {
  Share("retry");
  RuleBook book(env_, SharedSources());
  ASSERT_TRUE(book.LoadShared());
  SetUnreachable(true);
  EXPECT_EQ(book.Load().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  EXPECT_EQ(book.status().shared_error->code, ErrorCode::kUnavailable);
  EXPECT_FALSE(book.status().last_error);
  SetUnreachable(false);
  EXPECT_EQ(book.LoadShared(), false);
  EXPECT_FALSE(book.status().shared_error);
}

TEST_F(RuleBookTest, WatcherFollowsSharedRulesAndThenTheFileAgain) {
  Write("hold");
  RuleBook book(env_, SharedSources());
  RuleWatcher watcher(env_, book);
  Share("retry");
  EXPECT_TRUE(watcher.Look());
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  Write("escalate");
  EXPECT_FALSE(watcher.Look()) << "the file does not count now";
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  Write("dance");
  Share(std::nullopt);
  EXPECT_TRUE(watcher.Look()) << "and is refused";
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
  Write("hold");
  EXPECT_TRUE(watcher.Look());
  EXPECT_EQ(ActionOf(book), RouteAction::kHold);
}

TEST_F(RuleBookTest, WatcherLooksAtAChangedFileOnceTheStoreAnswersAgain) {
  Write("hold");
  RuleBook book(env_, SharedSources());
  RuleWatcher watcher(env_, book);
  Write("retry");
  SetUnreachable(true);
  EXPECT_FALSE(watcher.Look());
  SetUnreachable(false);
  EXPECT_TRUE(watcher.Look());
  EXPECT_EQ(ActionOf(book), RouteAction::kRetry);
}

}  // namespace
}  // namespace seedcore::coordinator
