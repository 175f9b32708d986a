#include "service/workers.h"

#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::service {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;
using testing::HasSubstr;

class WorkersTest : public testing::Test {
 protected:
  WorkersTest() {
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env_, metrics_);
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    store_ = std::move(*opened);
    workers_ = std::make_unique<WorkerService>(WorkerService::Dependencies{
        .env = &env_, .tasks = &store_->tasks(), .steps = &store_->steps(), .metrics = &metrics_});
  }

  std::string Submit(store::NewTask task = {}) {
    if (task.type.empty()) task.type = "resize";
    return store_->tasks().Submit({&task, 1}).value().front().task.id;
  }
  WorkerClaims Claim(WorkerClaimRequest request = {}) {
    if (request.worker_id.empty()) request.worker_id = "w";
    if (request.types.empty()) request.types = {"resize"};
    return workers_->Claim(request, {}).value();
  }
  WorkerClaim ClaimOne(std::string worker = "w") {
    auto claims = Claim({.worker_id = std::move(worker)});
    EXPECT_EQ(claims.items.size(), 1U);
    return claims.items.at(0);
  }
  store::Task Get(const std::string& id) { return store_->tasks().Get(id).value(); }

  SimEnv env_;
  Metrics metrics_;
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<WorkerService> workers_;
};

TEST_F(WorkersTest, AsksForTypesThatCanBe) {
  for (const std::string& type : {std::string(), std::string("  "), std::string(129, 'x')}) {
    const auto refused = WorkerClaimRequest{.worker_id = "w", .types = {"resize", type}}.Validate();
    ASSERT_FALSE(refused) << type;
    EXPECT_EQ(refused.error().path, "types[1]");
  }
}

TEST_F(WorkersTest, TellsWhichTypesAreAskedForAndRefusesTheClaimWhenThatFails) {
  std::vector<std::string> told;
  bool fails = false;
  workers_ = std::make_unique<WorkerService>(
      WorkerService::Dependencies{.env = &env_,
                                  .tasks = &store_->tasks(),
                                  .steps = &store_->steps(),
                                  .metrics = &metrics_,
                                  .on_types = [&](const std::vector<std::string>& types) -> Result<void> {
                                    told = types;
                                    if (fails) return seedcore::Fail(ErrorCode::kResourceExhausted, "too many types");
                                    return {};
                                  }});
  const std::string id = Submit();
  fails = true;
  EXPECT_EQ(workers_->Claim({.worker_id = "w", .types = {" Resize"}}, {}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(told, std::vector<std::string>{"resize"});
  EXPECT_EQ(Get(id).status, store::TaskStatus::kQueued);
  fails = false;
  EXPECT_EQ(ClaimOne().task.id, id);
}

/// The steps of the store, until they cannot be read.
class UnreadableSteps final : public store::StepStore {
 public:
  explicit UnreadableSteps(store::StepStore& real) : real_(real) {}
  Result<std::vector<store::TaskStep>> SavePlan(const store::Lease& lease, const store::NewPlan& plan) override {
    return real_.SavePlan(lease, plan);
  }
  Result<void> WriteSteps(const store::Lease& lease, std::span<const store::StepWrite> writes,
                          const store::Effects& effects) override {
    return real_.WriteSteps(lease, writes, effects);
  }
  Result<std::vector<store::TaskStep>> Steps(const std::string&) override {
    return Fail(ErrorCode::kUnavailable, "the connection was lost");
  }
  Result<store::Task> Answer(const std::string& task, const std::string& step,
                             const store::StepAnswer& answer) override {
    return real_.Answer(task, step, answer);
  }
  Result<store::Task> Replay(const std::string& task, const std::string& step) override {
    return real_.Replay(task, step);
  }
  Result<store::Task> Fork(const std::string& task, const std::string& step) override { return real_.Fork(task, step); }

 private:
  store::StepStore& real_;
};

TEST_F(WorkersTest, GetsNoTaskWhoseStepsCannotBeRead) {
  const std::string id = Submit();
  UnreadableSteps steps(store_->steps());
  workers_ = std::make_unique<WorkerService>(
      WorkerService::Dependencies{.env = &env_, .tasks = &store_->tasks(), .steps = &steps, .metrics = &metrics_});
  const auto refused = workers_->Claim({.worker_id = "w", .types = {"resize"}, .with_steps = true}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Get(id).status, TaskStatus::kQueued) << "it need not wait for the end of a lease that nobody knows of";
  EXPECT_EQ(Get(id).attempts, 0);
  EXPECT_EQ(ClaimOne().task.id, id);
}

TEST_F(WorkersTest, ClaimsOnlyTheTypesItAsksFor) {
  Submit({.type = "echo"});
  const std::string id = Submit({.type = "resize", .params = {{"width", 10}}});
  const WorkerClaims claims = Claim({.types = {" Resize "}, .limit = 10});
  ASSERT_EQ(claims.items.size(), 1U);
  EXPECT_EQ(claims.items[0].task.id, id);
  EXPECT_EQ(claims.items[0].task.params.at("width"), 10);
  EXPECT_EQ(claims.items[0].task.owner_id, "w");
  EXPECT_EQ(claims.items[0].fencing_token, 1);
  EXPECT_EQ(claims.items[0].idempotency_key, id);
}

TEST_F(WorkersTest, CompletionStoresTheResult) {
  const std::string id = Submit();
  const WorkerClaim claim = ClaimOne();
  const auto done = workers_->Complete(
      {.worker_id = "w", .id = id, .fencing_token = claim.fencing_token, .result = {{"ok", true}}}, {});
  ASSERT_TRUE(done) << ToString(done.error());
  EXPECT_EQ(done->status, TaskStatus::kCompleted);
  EXPECT_EQ(Get(id).result.at("ok"), true);
}

TEST_F(WorkersTest, StepsAreKeptUnderTheLeaseAndComeWithTheNextClaim) {
  const std::string id = Submit();
  const WorkerClaim lost = ClaimOne("vanishes");
  const auto checkpoint = [&](const std::string& worker, std::int64_t token, const std::string& step) {
    return workers_->Checkpoint(
        {.worker_id = worker, .id = id, .fencing_token = token, .step = step, .result = {{"by", worker}}}, {});
  };
  ASSERT_TRUE(workers_->Checkpoint(
      {.worker_id = "vanishes", .id = id, .fencing_token = lost.fencing_token, .step = "one", .begin = true}, {}));
  ASSERT_TRUE(checkpoint("vanishes", lost.fencing_token, "one"));
  env_.Advance(30s);
  ASSERT_EQ(store_->tasks().Reap(10).value(), 1);
  const WorkerClaim again = Claim({.worker_id = "steps in", .with_steps = true}).items.at(0);
  ASSERT_EQ(again.steps.size(), 1U);
  EXPECT_EQ(again.steps[0].name, "one");
  EXPECT_EQ(again.steps[0].attempt, 1);
  EXPECT_EQ(again.steps[0].result.at("by"), "vanishes");
  EXPECT_EQ(again.steps[0].idempotency_key, id + ":one");
  const auto late = checkpoint("vanishes", lost.fencing_token, "two");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kLeaseLost);
  ASSERT_TRUE(checkpoint("steps in", again.fencing_token, "two"));
  EXPECT_EQ(store_->steps().Steps(id).value().size(), 2U);
}

TEST_F(WorkersTest, AHoldEndsTheClaimAndItsAnswerComesWithTheNext) {
  const std::string id = Submit();
  const WorkerClaim claim = ClaimOne();
  const auto parked = workers_->Hold(
      {.worker_id = "w", .id = id, .fencing_token = claim.fencing_token, .step = "ask", .reason = "may I?"}, {});
  ASSERT_TRUE(parked) << ToString(parked.error());
  EXPECT_EQ(parked->status, TaskStatus::kCreated);
  EXPECT_EQ(Get(id).hold_reason, "step 'ask': may I?");
  ASSERT_TRUE(store_->steps().Answer(id, "ask", {true, false, ""}));
  const WorkerClaim again = Claim({.with_steps = true}).items.at(0);
  EXPECT_EQ(again.steps.at(0).result, true);
}

TEST_F(WorkersTest, AWorkerThatVanishesCostsNobodyATask) {
  const std::string id = Submit();
  const WorkerClaim lost = ClaimOne("vanishes");
  env_.Advance(30s);
  ASSERT_EQ(store_->tasks().Reap(10).value(), 1);
  const WorkerClaim again = ClaimOne("steps in");
  EXPECT_EQ(again.task.id, id);
  EXPECT_GT(again.fencing_token, lost.fencing_token);

  const auto late = workers_->Complete({.worker_id = "vanishes", .id = id, .fencing_token = lost.fencing_token}, {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(metrics_.GetCounter("seedcore_lease_lost_total", "").Value(), 1.0);
  EXPECT_TRUE(workers_->Complete({.worker_id = "steps in", .id = id, .fencing_token = again.fencing_token}, {}));
}

TEST_F(WorkersTest, ARenewalKeepsTheLeaseAndTellsOfACancellation) {
  const std::string id = Submit();
  const WorkerClaim claim = ClaimOne();
  const WorkerRenewRequest renewal{.worker_id = "w", .tasks = {{id, claim.fencing_token}}};
  env_.Advance(20s);
  EXPECT_TRUE(workers_->Renew(renewal, {}).value().items.at(0).renewed);
  env_.Advance(20s);
  EXPECT_EQ(store_->tasks().Reap(10).value(), 0);
  ASSERT_TRUE(store_->tasks().Cancel(id));
  const WorkerRenewed told = workers_->Renew(renewal, {}).value().items.at(0);
  EXPECT_FALSE(told.renewed);
  EXPECT_TRUE(told.cancel_requested);
}

TEST_F(WorkersTest, AFailureIsRetriedAsThePolicySaysAndThenIsADeadLetter) {
  const std::string id = Submit({.type = "resize", .retry = {.max_attempts = 2, .base = 10s, .max = 60s}});
  const WorkerClaim first = ClaimOne();
  const WorkerFailRequest failed{.worker_id = "w", .id = id, .fencing_token = first.fencing_token, .error = "no disk"};
  EXPECT_EQ(workers_->Fail(failed, {}).value().status, TaskStatus::kRetry);
  EXPECT_TRUE(Claim().items.empty());
  EXPECT_EQ(workers_->Fail(failed, {}).error().code, ErrorCode::kLeaseLost);
  env_.Advance(10s);
  const WorkerClaim second = ClaimOne();
  EXPECT_EQ(workers_->Fail({.worker_id = "w", .id = id, .fencing_token = second.fencing_token, .error = "no disk"}, {})
                .value()
                .status,
            TaskStatus::kFailed);
  EXPECT_TRUE(Get(id).dead_letter);
  EXPECT_EQ(Get(id).error, "no disk");
}

TEST_F(WorkersTest, AFailureThatCannotBeHelpedIsFinal) {
  const std::string id = Submit();
  const WorkerClaim claim = ClaimOne();
  const auto failed = workers_->Fail(
      {.worker_id = "w", .id = id, .fencing_token = claim.fencing_token, .error = "no such image", .retry = false}, {});
  EXPECT_EQ(failed.value().status, TaskStatus::kFailed);
  EXPECT_EQ(Get(id).error_code, "non_retryable");
}

TEST_F(WorkersTest, AFailureCanSayWhenToTryAgain) {
  const std::string id = Submit();
  const WorkerClaim claim = ClaimOne();
  ASSERT_TRUE(workers_->Fail(
      {.worker_id = "w", .id = id, .fencing_token = claim.fencing_token, .error = "busy", .retry_after_s = 77.0}, {}));
  EXPECT_EQ(Get(id).run_after, env_.WallNow() + 77s);
}

TEST_F(WorkersTest, AClaimWaitsUntilATaskIsSubmitted) {
  WorkerClaims claims;
  {
    std::jthread waiter([&] { claims = Claim({.wait_s = 60.0}); });
    env_.AwaitWaiters(1);
    Submit();
  }
  EXPECT_EQ(claims.items.size(), 1U);
}

TEST_F(WorkersTest, AClaimWaitsUntilATaskIsDue) {
  Submit({.type = "resize", .run_after = env_.WallNow() + 20s});
  WorkerClaims claims;
  {
    std::jthread waiter([&] { claims = Claim({.wait_s = 60.0}); });
    env_.AwaitWaiters(1);
    env_.Advance(20s);
  }
  EXPECT_EQ(claims.items.size(), 1U);
}

TEST_F(WorkersTest, AClaimEndsEmptyWhenItsTimeIsUp) {
  WorkerClaims claims;
  {
    std::jthread waiter([&] { claims = Claim({.wait_s = 5.0}); });
    env_.AwaitWaiters(1);
    env_.Advance(5s);
  }
  EXPECT_TRUE(claims.items.empty());
}

TEST_F(WorkersTest, ACallerThatLeavesWhileItWaitsTakesNoTask) {
  std::stop_source gone;
  Result<WorkerClaims> answer;
  {
    std::jthread waiter([&] {
      answer = workers_->Claim({.worker_id = "w", .types = {"resize"}, .wait_s = 60.0}, {.stop = gone.get_token()});
    });
    env_.AwaitWaiters(1);
    gone.request_stop();
  }
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  const std::string id = Submit();
  EXPECT_EQ(Get(id).status, TaskStatus::kQueued);
}

TEST_F(WorkersTest, OnlySoManyWaitTheOthersAreAnsweredAtOnce) {
  workers_ = std::make_unique<WorkerService>(WorkerService::Dependencies{
      .env = &env_, .tasks = &store_->tasks(), .steps = &store_->steps(), .metrics = &metrics_, .max_waiting = 1});
  std::jthread waiter([&] { Claim({.wait_s = 60.0}); });
  env_.AwaitWaiters(1);
  EXPECT_TRUE(Claim({.worker_id = "second", .wait_s = 60.0}).items.empty());
  workers_->Close();
}

TEST_F(WorkersTest, CloseLetsThoseWhoWaitGo) {
  WorkerClaims claims;
  {
    std::jthread waiter([&] { claims = Claim({.wait_s = 60.0}); });
    env_.AwaitWaiters(1);
    workers_->Close();
  }
  EXPECT_TRUE(claims.items.empty());
  EXPECT_TRUE(Claim({.wait_s = 60.0}).items.empty());
}

TEST(WorkerRequestsTest, NonsenseIsRefusedWithItsPath) {
  const auto path = [](const char* text) {
    const auto request = FromJsonText<WorkerClaimRequest>(text);
    return request ? std::string() : request.error().path;
  };
  EXPECT_EQ(path(R"({"worker_id": "w", "types": ["a"]})"), "");
  EXPECT_EQ(path(R"({"worker_id": "", "types": ["a"]})"), "worker_id");
  EXPECT_EQ(path(R"({"worker_id": "w", "types": []})"), "types");
  EXPECT_EQ(path(R"({"worker_id": "w", "types": ["a"], "limit": 0})"), "limit");
  EXPECT_EQ(path(R"({"worker_id": "w", "types": ["a"], "lease_s": 0.5})"), "lease_s");
  EXPECT_EQ(path(R"({"worker_id": "w", "types": ["a"], "wait_s": 61})"), "wait_s");
}

TEST_F(WorkersTest, SnoozedTaskComesBackLaterAndTheAttemptIsNotCounted) {
  const std::string id = Submit({.type = "resize", .retry = {.max_attempts = 1}});
  const WorkerClaim claim = ClaimOne();
  const auto answer = workers_->Snooze(
      {.worker_id = "w", .id = id, .fencing_token = claim.fencing_token, .delay_s = 60.0, .reason = "the disk is full"},
      {});
  ASSERT_TRUE(answer) << ToString(answer.error());
  EXPECT_EQ(answer->status, TaskStatus::kQueued);
  EXPECT_EQ(Get(id).attempts, 0);
  EXPECT_TRUE(Claim().items.empty());
  env_.Advance(60s);
  EXPECT_EQ(ClaimOne().task.attempts, 1);
  EXPECT_EQ((WorkerSnoozeRequest{.worker_id = "w", .delay_s = 0.5}).Validate().error().path, "delay_s");
}

TEST_F(WorkersTest, ProgressIsShownWithTheTaskAndInItsHistory) {
  const std::string id = Submit();
  const WorkerClaim claim = ClaimOne();
  const auto answer = workers_->Progress({.worker_id = "w",
                                          .id = id,
                                          .fencing_token = claim.fencing_token,
                                          .fraction = 0.25,
                                          .note = "a quarter",
                                          .data = json::object{{"rows", 5}}},
                                         {});
  ASSERT_TRUE(answer) << ToString(answer.error());
  EXPECT_TRUE(answer->accepted);

  const SpanStore spans;
  TaskService tasks(
      {.tasks = &store_->tasks(), .spans = &spans, .default_retry = {}, .on_cancelled = {}, .check_task = {}});
  for (const TaskRead& task : {tasks.Get({id}, {}).value(), tasks.List({}, {}).value().items.at(0)}) {
    ASSERT_TRUE(task.progress);
    EXPECT_EQ(task.progress->fraction, 0.25);
    EXPECT_EQ(task.progress->note, "a quarter");
    EXPECT_EQ(task.progress->data, (json::object{{"rows", 5}}));
    EXPECT_EQ(task.progress->at, env_.WallNow());
  }
  const TaskEventRead event = tasks.Events({id}, {}).value().events.back();
  EXPECT_EQ(event.kind, "progress");
  EXPECT_EQ(event.detail, "a quarter");
  ASSERT_TRUE(event.progress);
  EXPECT_EQ(event.progress->fraction, 0.25);
}

TEST_F(WorkersTest, ACancelledTaskIsToldAtTheNextRenewalAndTheNextReport) {
  const std::string id = Submit();
  const WorkerClaim claim = ClaimOne();
  ASSERT_TRUE(store_->tasks().Cancel(id));
  const auto renewed = workers_->Renew({.worker_id = "w", .tasks = {{id, claim.fencing_token}}}, {}).value();
  EXPECT_FALSE(renewed.items.at(0).renewed);
  EXPECT_TRUE(renewed.items.at(0).cancel_requested);
  const auto reported =
      workers_->Progress({.worker_id = "w", .id = id, .fencing_token = claim.fencing_token, .fraction = 0.5}, {})
          .value();
  EXPECT_FALSE(reported.accepted);
  EXPECT_TRUE(reported.cancel_requested);
}

TEST(WorkersOnPostgres, AreToldInTimeThatAnApplicationHasTheTaskInItsHands) {
  namespace pg = store::postgres;
  auto& server = pg::TestServer::Shared();
  server.CreateDatabase("workers");
  SimEnv env;
  Metrics metrics;
  const auto store = pg::OpenPostgresStore({.dsn = server.Dsn("workers")}, env, metrics).value();
  WorkerService workers({.env = &env, .tasks = &store->tasks(), .steps = &store->steps(), .metrics = &metrics});
  ASSERT_TRUE(store->tasks().Submit(std::vector<store::NewTask>{{.type = "resize"}}));
  const WorkerClaim claim = workers.Claim({.worker_id = "w", .types = {"resize"}}, {}).value().items.at(0);
  const std::string& id = claim.task.id;
  const auto application = pg::Connection::Open({.dsn = server.Dsn("workers"), .setup = {}}).value();
  ASSERT_TRUE(application->Script("BEGIN"));
  ASSERT_TRUE(
      application->RunOnce(fmt::format("SELECT seedcore_enqueue('next', depends_on => '{{{}}}')", id), {}).has_value());

  const Instant began = RealEnv().Now();
  const auto completed = workers.Complete({.worker_id = "w", .id = id, .fencing_token = claim.fencing_token}, {});
  ASSERT_FALSE(completed);
  EXPECT_EQ(completed.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(completed.error().message, HasSubstr(id));
  const auto failed =
      workers.Fail({.worker_id = "w", .id = id, .fencing_token = claim.fencing_token, .error = "no"}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_LT(RealEnv().Now() - began, 9s) << "it has waited for the lock";

  ASSERT_TRUE(application->Script("COMMIT"));
  ASSERT_TRUE(workers.Complete({.worker_id = "w", .id = id, .fencing_token = claim.fencing_token}, {}));
  EXPECT_EQ(store->tasks().Get(id)->status, TaskStatus::kCompleted);
}

}  // namespace
}  // namespace seedcore::service
