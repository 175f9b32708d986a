#include "store/postgres/rehearsal.h"

#include "store/postgres/store_fixture.h"

namespace seedcore::store::postgres {
namespace {

using namespace std::chrono_literals;

TEST_F(PostgresTasks, RehearsalGoesThroughTheWholeLifeOfATask) {
  const auto db = Connect();
  Must(db->Script("BEGIN"));
  WriteContext context{.db = *db, .env = env_, .now = env_.WallNow()};
  Must(RehearseTask(context));
  const Rows rows = Must(db->RunOnce("SELECT type, status::text, attempts FROM tasks", {}));
  ASSERT_EQ(rows.size(), 1);
  EXPECT_THAT(std::string(rows.Text(0, 0)), testing::StartsWith("rehearsal-"));
  EXPECT_EQ(rows.Text(0, 1), "completed");
  EXPECT_EQ(rows.Int(0, 2), 1);
  EXPECT_FALSE(context.notes.runnable.any());
}

TEST_F(PostgresTasks, RehearsalsOfANewStoreLeaveNothingBehind) {
  NewTask late{.type = "late"};
  late.deadline = env_.WallNow() + 1s;
  NewTask due{.type = "due"};
  due.run_after = env_.WallNow() + 1s;
  Submit(1);
  Submit(1, late);
  Submit(1, due);
  env_.Advance(2s);
  const std::int64_t events = Count("task_event");
  const std::int64_t batches = Count("task_event_batch");
  PostgresSettings settings = Settings();
  settings.rehearsed = 3;
  const auto other = Must(Open(settings));

  EXPECT_EQ(QueryInt("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'ROLLBACK'"),
            3);
  EXPECT_EQ(Count("tasks"), 3);
  EXPECT_EQ(Count("task_event"), events);
  EXPECT_EQ(Count("task_event_batch"), batches);
  EXPECT_EQ(QueryInt("SELECT count(*) FROM tasks WHERE status = 'queued' AND attempts = 0"), 3);
  EXPECT_EQ(Must(other->tasks().Counts()).by_status.at(TaskStatus::kQueued), 3);
  EXPECT_EQ(ClaimSome(10).size(), 2U);  // the late one fails instead
}

TEST_F(PostgresTasks, AStoreIsOpenedAlsoWhereATypeIsPaused) {
  Must(store_->queues().Pause("a", "by a test"));
  PostgresSettings settings = Settings();
  settings.rehearsed = 1;
  Must(Open(settings));
  EXPECT_EQ(Count("tasks"), 0);
}

}  // namespace
}  // namespace seedcore::store::postgres
