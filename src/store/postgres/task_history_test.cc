// What happens to every task once is kept for many tasks in one row (schema/history.cc): what callers see of it.

#include <algorithm>
#include <future>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/json_binding.h"
#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/store_fixture.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class TaskHistory : public PostgresTasks {
 protected:
  std::vector<std::string> Kinds(const std::string& id) {
    std::vector<std::string> kinds;
    for (const TaskEvent& event : Must(tasks().Events(id))) {
      kinds.push_back(fmt::format("{} {} {} {} {}", event.kind, EnumToString(event.status), event.attempt,
                                  event.fencing_token, event.owner_id));
    }
    return kinds;
  }
  /// Everything, in pages of `limit`.
  std::vector<TaskEvent> ReadAll(int limit) {
    std::vector<TaskEvent> all;
    for (;;) {
      const auto page = Must(tasks().EventsAfter(all.empty() ? 0 : all.back().seq, limit));
      if (page.empty()) return all;
      all.insert(all.end(), page.begin(), page.end());
    }
  }
};

TEST_F(TaskHistory, OfATaskIsTheSameHoweverItIsKept) {
  const auto ids = Submit(3);
  FinishAll(ClaimSome(2));
  FinishAll(ClaimSome(1, "v"), RetryLater{.error = WorkFailed(), .delay = milliseconds(0)});
  FinishAll(ClaimSome(1, "u"));
  EXPECT_THAT(Kinds(ids[0]),
              ElementsAre("submitted queued 0 0 ", "claimed running 1 1 w", "completed completed 1 1 w"));
  EXPECT_THAT(Kinds(ids[2]), ElementsAre("submitted queued 0 0 ", "claimed running 1 1 v", "retry retry 1 1 v",
                                         "claimed running 2 2 u", "completed completed 2 2 u"));
  EXPECT_EQ(Count("task_event_batch"), 4) << "one submission, two first claims, one completion at the first attempt";
  EXPECT_EQ(Count("task_event"), 3) << "the retry, and the second claim and its end";
}

TEST_F(TaskHistory, OneStatementFinishesTasksOfSeveralOwners) {
  const auto ids = Submit(4);
  auto claims = ClaimSome(2, "a");
  for (Claim& claim : ClaimSome(2, "b")) claims.push_back(std::move(claim));
  FinishAll(claims);
  for (const std::string& id : ids) {
    const auto events = Must(tasks().Events(id));
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(events[2].owner_id, events[1].owner_id);
  }
}

TEST_F(TaskHistory, PagesShowEveryEventOnceAndInOrder) {
  Submit(2000);
  const auto first = ClaimSome(1500);
  FinishAll({first.begin(), first.begin() + 1000});
  FinishAll({first.begin() + 1000, first.begin() + 1200}, RetryLater{.error = WorkFailed(), .delay = milliseconds(0)});
  env_.Advance(seconds(1));
  ASSERT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 700)), 700);
  Submit(5);
  const auto all = ReadAll(100'000);
  EXPECT_EQ(all.size(), 1300U + 800 + 300 + 200 + 5) << "submitted, claimed, completed, retried; five more";
  for (const int limit : {1000, 97, 3}) {
    const auto paged = ReadAll(limit);
    EXPECT_TRUE(std::ranges::equal(paged, all, {}, &TaskEvent::seq, &TaskEvent::seq)) << limit;
  }
  EXPECT_TRUE(std::ranges::is_sorted(all, std::ranges::less_equal{}, &TaskEvent::seq));
  EXPECT_EQ(static_cast<std::int64_t>(all.size()), Count("task_history"));
}

TEST_F(TaskHistory, ABatchGoesWithTheLastOfItsTasks) {
  Submit(10);
  FinishAll(ClaimSome(10));
  env_.Advance(seconds(1));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 9)), 9);
  EXPECT_EQ(Count("task_event_batch"), 3);
  EXPECT_EQ(ReadAll(10).size(), 3U);
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 9)), 1);
  EXPECT_EQ(Count("task_event_batch"), 0);
}

// Each deletion sees the other one's task until it has committed, so neither would take the batch away.
TEST_F(TaskHistory, ABatchGoesAlsoWhenItsLastTasksGoAtTheSameTime) {
  for (int round = 0; round < 20; ++round) {
    Submit(8);
    FinishAll(ClaimSome(8));
    env_.Advance(seconds(1));
    const auto connections = std::pair(Connect(), Connect());
    const auto half = [](Connection& connection, int rest) {
      return connection.Script(fmt::format("DELETE FROM tasks WHERE seq % 2 = {}", rest).c_str());
    };
    auto other = std::async(std::launch::async, [&] { return half(*connections.second, 1); });
    EXPECT_TRUE(half(*connections.first, 0));
    EXPECT_TRUE(other.get());
    ASSERT_EQ(Count("tasks"), 0);
    ASSERT_EQ(Count("task_event_batch"), 0) << round;
  }
}

TEST_F(TaskHistory, CannotBeChanged) {
  Submit(2);
  EXPECT_FALSE(Connect()->Script("UPDATE task_event_batch SET kind = 'completed'"));
  EXPECT_FALSE(Connect()->Script("DELETE FROM task_event_batch"));
}

// Readers stop where a transaction that has drawn a number is still open.
TEST_F(TaskHistory, ABatchThatCommitsLateIsNotMissed) {
  const auto slow = Connect();
  EXPECT_TRUE(slow->Script("BEGIN; SELECT seedcore_enqueue('slow')"));
  const auto ids = Submit(3);
  EXPECT_TRUE(ReadAll(10).empty()) << "a smaller number may still come";
  EXPECT_TRUE(slow->Script("COMMIT"));
  EXPECT_EQ(ReadAll(10).size(), 4U);
}

}  // namespace
}  // namespace seedcore::store::postgres
