// Many plain tasks in one statement (plain_submit.cc): whatever they have in common or not, each is stored as it was
// given, in the order given, with its turn and its history.

#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/json_binding.h"
#include "store/conformance.h"
#include "store/postgres/store_fixture.h"
#include "store/turn.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class PlainSubmitTest : public CheckedPostgresTasks {
 protected:
  /// A task with values of its own in everything that a plain task has.
  NewTask Any(std::mt19937& random) {
    const auto upto = [&](unsigned n) { return static_cast<int>(random() % n); };
    NewTask task{.type = fmt::format("t{}", upto(3)), .domain = upto(2) == 0 ? "" : "d"};
    if (upto(3) == 0) task.description = fmt::format("what {}", upto(9));
    task.params = {{"n", upto(1000)}};
    task.drift_score = upto(10) / 10.0;
    task.priority = 4 + upto(3);
    if (upto(4) == 0) task.run_after = env_.WallNow() + seconds(upto(20) - 10);
    if (upto(4) == 0) task.deadline = env_.WallNow() + seconds(60 + upto(60));
    task.retry = {.max_attempts = 1 + upto(5), .base = milliseconds(10 + upto(5)), .max = milliseconds(1000 + upto(9))};
    if (upto(4) == 0) task.traceparent = fmt::format("00-{:032x}-{:016x}-01", 1 + upto(99), 1 + upto(99));
    task.run_immediately = upto(4) > 0;
    if (upto(4) == 0) task.concurrency_key = fmt::format("k{}", upto(4));
    return task;
  }
  bool RunsNow(const NewTask& task) {
    return task.run_immediately && (!task.run_after || *task.run_after <= env_.WallNow());
  }
  static auto Content(const auto& task) {
    return std::tie(task.type, task.domain, task.description, task.params, task.drift_score, task.priority,
                    task.run_after, task.deadline, task.retry.max_attempts, task.retry.base, task.retry.max,
                    task.traceparent, task.concurrency_key);
  }

  void ExpectStored(const std::vector<NewTask>& given) {
    const auto results = Must(tasks().Submit(given));
    ASSERT_EQ(results.size(), given.size());
    const auto connection = Connect();
    std::int64_t before = 0;
    std::map<std::tuple<std::string, std::string, int>, std::int64_t> last_turns;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const std::string& id = results[i].task.id;
      const Task stored = Must(tasks().Get(id));
      const TaskStatus status = given[i].run_immediately ? TaskStatus::kQueued : TaskStatus::kCreated;
      EXPECT_EQ(Content(stored), Content(given[i]));
      EXPECT_EQ(stored.status, status);
      const auto events = Must(tasks().Events(id));
      ASSERT_EQ(events.size(), 1U);
      EXPECT_EQ(std::tie(events[0].kind, events[0].status), std::tuple("submitted", status));
      const Rows row = Must(connection->RunOnce(
          fmt::format("SELECT t.seq, t.turn, t.runnable, (SELECT turn FROM task_line l WHERE l.seq = t.seq) "
                      "FROM tasks t WHERE id = '{}'",
                      id),
          {}));
      EXPECT_GT(row.Int(0, 0), before) << "the order of submission";
      before = row.Int(0, 0);
      const bool runs = RunsNow(given[i]);
      EXPECT_EQ(row.Int(0, 2), runs ? 1 : given[i].run_immediately ? 2 : 0);
      ASSERT_EQ(row.IsNull(0, 1), !runs);
      ASSERT_EQ(row.IsNull(0, 3), !runs);
      if (!runs) continue;
      EXPECT_EQ(row.Int(0, 1), row.Int(0, 3)) << "the place in line";
      const auto [last, is_first] =
          last_turns.try_emplace({given[i].type, given[i].domain, given[i].priority}, row.Int(0, 1));
      if (!is_first) {
        EXPECT_EQ(row.Int(0, 1), last->second + kTurn);
        last->second = row.Int(0, 1);
      }
    }
  }
};

TEST_F(PlainSubmitTest, EachTaskIsStoredAsItWasGiven) {
  std::mt19937 random(7);
  for (const std::size_t count : {2U, 17U, 200U, 700U}) {
    std::vector<NewTask> given;
    for (std::size_t i = 0; i < count; ++i) given.push_back(Any(random));
    ExpectStored(given);
  }
}

TEST_F(PlainSubmitTest, TasksThatAreAlikeToo) {
  std::mt19937 random(8);
  for (const int count : {1, 16, 65, 1000}) {
    std::vector<NewTask> given(static_cast<std::size_t>(count), Any(random));
    for (int i = 0; i < count; ++i) given[static_cast<std::size_t>(i)].params["i"] = i;
    ExpectStored(given);
  }
}

TEST_F(PlainSubmitTest, HistoryHasBatchesOfOneStateEach) {
  std::vector<NewTask> given(2500, NewTask{.type = "a"});
  for (std::size_t i = 0; i < given.size(); i += 2) given[i].run_immediately = false;
  Must(tasks().Submit(given));
  const Rows batches = Must(Connect()->RunOnce(
      "SELECT status::text || ' ' || cardinality(task_seqs), "
      "task_seqs = ARRAY(SELECT s FROM unnest(task_seqs) s ORDER BY s) FROM task_event_batch ORDER BY seq",
      {}));
  std::vector<std::string> sizes;
  for (int row = 0; row < batches.size(); ++row) {
    sizes.emplace_back(batches.Text(row, 0));
    EXPECT_TRUE(batches.Bool(row, 1)) << "tasks are looked for in an order";
  }
  EXPECT_THAT(sizes, ElementsAre("created 960", "created 290", "queued 960", "queued 290"));
}

}  // namespace
}  // namespace seedcore::store::postgres
