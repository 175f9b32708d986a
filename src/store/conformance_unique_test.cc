#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::seconds;

TEST_P(StoreConformance, SecondTaskOfAUniqueKeyIsTheFirstOneWhileThatIsNotFinished) {
  const NewTask wanted{.type = "report", .params = {{"day", 1}}, .unique_key = "report"};
  const NewTask other{.type = "report", .params = {{"day", 2}}, .unique_key = "report"};
  const auto first = Must(tasks().Submit(std::vector<NewTask>{wanted})).front();
  EXPECT_FALSE(first.duplicate);
  EXPECT_EQ(first.task.unique_key, "report");
  const auto again = Must(tasks().Submit(std::vector<NewTask>{other})).front();
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.task.id, first.task.id);
  EXPECT_EQ(again.task.params, wanted.params);

  const Claim claim = ClaimOne();
  EXPECT_TRUE(Must(tasks().Submit(std::vector<NewTask>{other})).front().duplicate) << "running";
  EXPECT_TRUE(End(claim, Held{"why"}));
  EXPECT_TRUE(Must(tasks().Submit(std::vector<NewTask>{other})).front().duplicate) << "held";
  Must(tasks().Cancel(first.task.id));
  const auto next = Must(tasks().Submit(std::vector<NewTask>{other})).front();
  EXPECT_FALSE(next.duplicate) << "finished";
  EXPECT_NE(next.task.id, first.task.id);
}

TEST_P(StoreConformance, UniqueKeyStaysTakenForAsLongAsTheTaskSaid) {
  const NewTask wanted{.type = "a", .unique_key = "k", .unique_for = seconds(60)};
  const Task first = Submit(wanted);
  EXPECT_TRUE(End(ClaimOne(), Completed{}));
  Advance(seconds(59));
  const auto again = Must(tasks().Submit(std::vector<NewTask>{wanted})).front();
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.task.id, first.id);
  EXPECT_EQ(again.task.status, TaskStatus::kCompleted);
  Advance(seconds(1));
  EXPECT_FALSE(Must(tasks().Submit(std::vector<NewTask>{wanted})).front().duplicate);
}

TEST_P(StoreConformance, UniqueKeyTwiceInOneBatchIsOneTask) {
  const NewTask wanted{.type = "a", .unique_key = "k"};
  const auto results = Must(tasks().Submit(std::vector<NewTask>{wanted, {.type = "b"}, wanted}));
  EXPECT_FALSE(results[0].duplicate);
  EXPECT_TRUE(results[2].duplicate);
  EXPECT_EQ(results[0].task.id, results[2].task.id);
}

TEST_P(StoreConformance, FinishedTaskIsNotRunAgainWhileAnotherHasItsUniqueKey) {
  const NewTask wanted{.type = "a", .unique_key = "k"};
  const Task first = Submit(wanted);
  EXPECT_TRUE(End(ClaimOne(), FailedForGood{WorkFailed(), nullptr}));
  const Task second = Submit(wanted);
  EXPECT_EQ(CodeOf(tasks().Run(first.id)), ErrorCode::kConflict);
  EXPECT_EQ(Must(tasks().Redrive({}, 10)), 0);
  EXPECT_EQ(Get(first.id).status, TaskStatus::kFailed);
  EXPECT_TRUE(End(ClaimOne(), Completed{}));
  EXPECT_EQ(Must(tasks().Run(first.id)).status, TaskStatus::kQueued);
  EXPECT_EQ(Submit(wanted).id, first.id);
}

TEST_P(StoreConformance, IdempotencyKeyIsLookedAtBeforeTheUniqueKey) {
  const Task known = Submit({.type = "a", .idempotency_key = "i", .unique_key = "u"});
  EXPECT_TRUE(End(ClaimOne(), Completed{}));
  const Task holder = Submit({.type = "a", .unique_key = "u"});
  EXPECT_EQ(Submit({.type = "a", .idempotency_key = "i", .unique_key = "u"}).id, known.id);
  EXPECT_NE(holder.id, known.id);
}

TEST_P(StoreConformance, KeysOutOfRangeAreRefusedByField) {
  const auto path = [&](NewTask task) { return tasks().Submit(std::vector<NewTask>{std::move(task)}).error().path; };
  EXPECT_EQ(path({.type = "a", .unique_for = seconds(1)}), "unique_for");
  EXPECT_EQ(path({.type = "a", .unique_key = "k", .unique_for = seconds(-1)}), "unique_for");
  EXPECT_EQ(path({.type = "a", .concurrency_key = "*"}), "concurrency_key");
}

TEST_P(StoreConformance, UniqueKeyIsGivenOnceWhoeverAsksAtTheSameTime) {
  std::mutex mutex;
  std::set<std::string> ids;
  int made = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int n = 0; n < 20; ++n) {
          const std::string key = "k" + std::to_string(n);
          const auto result =
              Must(tasks().Submit(std::vector<NewTask>{{.type = "a", .unique_key = key}, {.type = "b"}})).front();
          const std::scoped_lock lock(mutex);
          ids.insert(result.task.id);
          if (!result.duplicate) ++made;
        }
      });
    }
  }
  EXPECT_EQ(made, 20);
  EXPECT_EQ(ids.size(), 20U);
}

}  // namespace
}  // namespace seedcore::store
