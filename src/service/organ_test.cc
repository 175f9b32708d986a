#include "service/organ.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "service/organism_views.h"

namespace seedcore::service {
namespace {

class OrganServiceTest : public testing::Test {
 protected:
  void Register(const std::string& type, organism::ExecuteFunction execute) {
    ASSERT_TRUE(executors_.Register({type, "", {}, std::move(execute)}));
  }
  Result<OrganWorkDone> Execute(const organism::TaskSpec& task, const CallContext& call = {},
                                const std::string& organ_id = "o") {
    // As it goes over the wire.
    const auto work = FromJsonText<OrganWork>(
        ToJsonText(WorkOf(organ_id, "o_agent_0", task, {.initialized = true, .organs = 3}, call)));
    EXPECT_TRUE(work) << ToString(work.error());
    if (!work) return std::unexpected(work.error());
    SEEDCORE_ASSIGN_OR_RETURN(const OrganWorkDone done, service_.Execute(*work, call));
    return FromJsonText<OrganWorkDone>(ToJsonText(done));
  }

  organism::ExecutorRegistry executors_;
  OrganService service_{"o", "seedcore_organ_o", executors_, RealEnv()};
};

TEST_F(OrganServiceTest, AnOutcomeIsTheSameOnBothSidesOfTheWire) {
  Register("note", [](const organism::TaskSpec& task, const CallContext& call) {
    auto result = organism::ExecutionResult::Success({{"id", task.id}, {"key", call.idempotency_key}}, 0.75, 4);
    result.effects.facts.push_back({.text = task.description, .tags = {"a"}, .meta_data = {{"b", 1}}});
    return result;
  });
  CallContext call;
  call.idempotency_key = "k";
  const auto done = Execute({.id = "t", .type = "note", .description = "water is wet"}, call);
  ASSERT_TRUE(done) << ToString(done.error());
  EXPECT_EQ(done->host, "seedcore_organ_o");
  const organism::ExecutionResult result = ResultOf(*done);
  EXPECT_TRUE(result.success);
  EXPECT_FALSE(result.error);
  EXPECT_EQ(result.result, (json::value{{"id", "t"}, {"key", "k"}}));
  EXPECT_EQ(result.quality, 0.75);
  EXPECT_EQ(result.mem_hits, 4);
  ASSERT_EQ(result.effects.facts.size(), 1U);
  EXPECT_EQ(result.effects.facts[0].text, "water is wet");
  EXPECT_EQ(service_.vitals().organs, 3);
  EXPECT_EQ(service_.executed(), 1);
}

TEST_F(OrganServiceTest, AFailureKeepsItsCodeAndItsPath) {
  Register("fail", [](const organism::TaskSpec&, const CallContext&) {
    return organism::ExecutionResult::Failure({ErrorCode::kPermissionDenied, "no", "params.url"}, "part");
  });
  const auto done = Execute({.id = "t", .type = "fail"});
  ASSERT_TRUE(done) << ToString(done.error());
  const organism::ExecutionResult result = ResultOf(*done);
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.error, (Error{ErrorCode::kPermissionDenied, "no", "params.url"}));
  EXPECT_EQ(result.result, json::value("part"));
}

TEST_F(OrganServiceTest, AnExecutorThatThrowsIsAFailureOfTheTask) {
  Register("throw", [](const organism::TaskSpec&, const CallContext&) -> organism::ExecutionResult {
    throw std::runtime_error("oops");
  });
  const auto done = Execute({.id = "t", .type = "throw"});
  ASSERT_TRUE(done) << ToString(done.error());
  EXPECT_EQ(ResultOf(*done).error->code, ErrorCode::kInternal);
  EXPECT_EQ(service_.running(), 0);
}

TEST_F(OrganServiceTest, WhatItDoesNotRunIsAnErrorOfTheCall) {
  Register("note",
           [](const organism::TaskSpec&, const CallContext&) { return organism::ExecutionResult::Success(nullptr); });
  EXPECT_EQ(Execute({.id = "t", .type = "dance"}).error().code, ErrorCode::kNonRetryable);
  EXPECT_EQ(Execute({.id = "t", .type = "note"}, {}, "other").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(service_.executed(), 0);
}

}  // namespace
}  // namespace seedcore::service
