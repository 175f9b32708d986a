// seedcore_enqueue, as an application calls it in a transaction of its own.

#include <string>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/notice.h"
#include "store/postgres/store_fixture.h"
#include "store/prepared_task.h"

namespace seedcore::store::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(PostgresStore, EnqueueBelongsToTheTransactionOfTheCaller) {
  const auto store = Must(Open());
  const auto application = Connect();
  Must(application->Script("CREATE TABLE orders (id int)"));
  Must(application->Script("BEGIN; INSERT INTO orders VALUES (1)"));
  Must(application->Script("SELECT seedcore_enqueue('ship', '{\"order\": 1}')"));
  Must(application->Script("ROLLBACK"));
  EXPECT_THAT(Must(store->tasks().List({}, 10, "")).items, IsEmpty());

  Must(application->Script("BEGIN; INSERT INTO orders VALUES (2)"));
  const std::string id =
      Must(application->RunOnce("SELECT seedcore_enqueue(' Ship', '{\"order\": 2}', priority => 7)", {})).Id(0, 0);
  EXPECT_THAT(Must(store->tasks().ClaimTasks({.owner_id = "w"})), IsEmpty()) << "not committed yet";
  Must(application->Script("COMMIT"));
  const auto claims = Must(store->tasks().ClaimTasks({.owner_id = "w"}));
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].task.id, id);
  EXPECT_EQ(claims[0].task.type, "ship");
  EXPECT_EQ(claims[0].task.params.at("order"), 2);
  EXPECT_EQ(claims[0].task.priority, 7);
  EXPECT_EQ(id[14], '7') << "a version-7 UUID: " << id;
}

TEST_F(PostgresStore, EnqueueTellsAsAProcessThatHasNotCountedTheListeners) {
  Must(Open());
  const auto application = Connect();
  Must(application->Script("LISTEN seedcore"));
  Must(application->RunOnce("SELECT seedcore_enqueue('a')", {}));
  const auto told = application->TakeNotifications();
  ASSERT_THAT(told, SizeIs(1));
  const Notice notice = ReadPayload(told.front().payload);
  EXPECT_FALSE(notice.older) << "or everybody tells of events for minutes, though nobody may read them";
  EXPECT_EQ(notice.runnable.tasks, 1);
  EXPECT_TRUE(notice.events);
  EXPECT_FALSE(notice.listeners);
}

TEST_F(PostgresStore, EnqueueNeedsNoRightButToBeCalledAndNoSearchPath) {
  const auto store = Must(Open());
  const auto application = Connect();
  const std::string role = database_ + "_shop";
  Must(application->RunOnce("CREATE ROLE " + role, {}));
  Must(application->RunOnce("SET ROLE " + role, {}));
  const auto refused = application->RunOnce("SELECT seedcore_enqueue('ship')", {});
  ASSERT_FALSE(refused) << "everybody may";
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  Must(application->Script("RESET ROLE"));
  Must(application->RunOnce("GRANT EXECUTE ON FUNCTION seedcore_enqueue TO " + role, {}));
  Must(application->RunOnce("SET ROLE " + role, {}));
  Must(application->Script("SET search_path = ''"));
  Must(application->RunOnce("SELECT public.seedcore_enqueue('ship')", {}));
  EXPECT_THAT(Must(store->tasks().ClaimTasks({.owner_id = "w"})), SizeIs(1));
}

TEST_F(PostgresStore, EnqueueKnowsKeysDependenciesAndItsLimits) {
  const auto store = Must(Open());
  const auto application = Connect();
  const auto enqueue = [&](const std::string& arguments) {
    return application->RunOnce("SELECT seedcore_enqueue(" + arguments + ")", {});
  };
  const std::string first = Must(enqueue("'a', idempotency_key => 'k'")).Id(0, 0);
  EXPECT_EQ(Must(enqueue("'a', idempotency_key => 'k'")).Id(0, 0), first);
  EXPECT_EQ(CodeOf(enqueue("'b', idempotency_key => 'k'")), ErrorCode::kConflict);
  const std::string unique = Must(enqueue("'u', unique_key => 'u', concurrency_key => 'tenant'")).Id(0, 0);
  EXPECT_EQ(Must(enqueue("'other', unique_key => 'u'")).Id(0, 0), unique);
  EXPECT_EQ(Must(store->tasks().Get(unique)).concurrency_key, "tenant");
  EXPECT_EQ(CodeOf(enqueue("'b', depends_on => ARRAY['" + env_.NewId() + "'::uuid]")), ErrorCode::kNotFound);
  const std::string second = Must(enqueue("'b', depends_on => ARRAY['" + first + "'::uuid]")).Id(0, 0);
  EXPECT_THAT(Must(store->tasks().Get(second)).depends_on, ElementsAre(first));
  for (const char* bad :
       {"''", "'a', priority => 11", "'a', '[]'", "'a', max_attempts => 0", "'a', retry_base_ms => -1",
        "'a', concurrency_key => '*'", "'a', unique_for => interval '1 hour'"}) {
    EXPECT_FALSE(enqueue(bad)) << bad;
  }
  EXPECT_EQ(Must(store->tasks().Counts()).by_status[TaskStatus::kQueued], 3);
}

TEST_F(PostgresStore, EnqueueRefusesWhatTheTaskApiRefuses) {
  const auto store = Must(Open());
  const auto application = Connect();
  const auto text = [](std::size_t size) { return fmt::format("repeat('x', {})", size); };
  const auto params = [](std::size_t size) {
    return fmt::format("jsonb_build_object('x', repeat('y', {}))", size - std::string_view(R"({"x": ""})").size());
  };
  const auto tasks = [](std::size_t n) {
    return fmt::format("(SELECT array_agg(gen_random_uuid()) FROM generate_series(1, {}))", n);
  };
  const auto enqueue = [&](const std::string& type, const std::string& name, const std::string& value) {
    return application->RunOnce(fmt::format("SELECT seedcore_enqueue({}, {} => {})", type, name, value), {});
  };
  const auto expect_refused = [&](const Result<Rows>& answer, ErrorCode code, const std::string& column) {
    ASSERT_FALSE(answer) << column;
    EXPECT_EQ(answer.error().code, code) << ToString(answer.error());
    EXPECT_THAT(answer.error().message, HasSubstr(column));
    EXPECT_EQ(answer.error().path, column);
  };
  for (const auto& [column, most] : {std::pair("domain", kMaxDomainBytes),
                                     {"description", kMaxDescriptionBytes},
                                     {"params", kMaxEnqueuedParamsBytes},
                                     {"idempotency_key", kMaxKeyBytes},
                                     {"concurrency_key", kMaxKeyBytes},
                                     {"unique_key", kMaxKeyBytes},
                                     {"traceparent", std::size_t{255}}}) {
    const auto value = [&, name = std::string_view(column)](std::size_t size) {
      return name == "params" ? params(size) : text(size);
    };
    EXPECT_TRUE(enqueue("'a'", column, value(most))) << column;
    const auto answer = enqueue("'a'", column, value(most + 1));
    expect_refused(answer, ErrorCode::kPayloadTooLarge, column);
    EXPECT_THAT(answer.error().message, HasSubstr(std::to_string(most)));
  }
  EXPECT_TRUE(enqueue(text(kMaxTypeBytes), "priority", "5"));
  expect_refused(enqueue(text(kMaxTypeBytes + 1), "priority", "5"), ErrorCode::kPayloadTooLarge, "type");
  expect_refused(enqueue("'a'", "depends_on", tasks(kMaxDependencies + 1)), ErrorCode::kPayloadTooLarge, "depends_on");
  EXPECT_EQ(CodeOf(enqueue("'a'", "depends_on", tasks(kMaxDependencies))), ErrorCode::kNotFound);
  expect_refused(enqueue("'not a type'", "priority", "5"), ErrorCode::kInvalidArgument, "type");
  for (const auto& [column, bad] : {std::pair("drift_score", "-1"),
                                    {"drift_score", "'NaN'"},
                                    {"retry_max_ms", "86400001"},
                                    {"run_after", "'infinity'"},
                                    {"deadline", "'-infinity'"}}) {
    expect_refused(enqueue("'a'", column, bad), ErrorCode::kInvalidArgument, column);
  }
  expect_refused(enqueue("'a', unique_key => 'u'", "unique_for", "interval '367 days'"), ErrorCode::kInvalidArgument,
                 "unique_for");
  for (const Claim& claim : Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = 100}))) {
    EXPECT_TRUE(Must(store->tasks().FinishTasks(std::vector<Finish>{{claim.lease(), Completed{}, {}}})).front());
  }
}

}  // namespace
}  // namespace seedcore::store::postgres
