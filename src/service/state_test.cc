#include "service/state.h"

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::service {
namespace {

state::StateSource OneAgent() {
  state::StateSource source;
  source.agents = [](const CallContext&) -> Result<std::map<std::string, state::AgentSnapshot>> {
    return std::map<std::string, state::AgentSnapshot>{{"a", {.h = {1, 2}, .p = {.9, .1, 0}}}};
  };
  return source;
}

net::Response Dispatch(StateService& service, net::Method method, const std::string& pattern,
                       std::multimap<std::string, std::string> query = {}) {
  for (const net::Route& route : Routes(StateOperations(), service)) {
    if (route.method != method || route.pattern != pattern) continue;
    net::Request request;
    request.method = method;
    request.path = pattern;
    request.query = std::move(query);
    return route.handler(request);
  }
  return {.status = 404};
}

TEST(StateServiceTest, HealthSaysWhichPartsAreLive) {
  SimEnv env;
  StateService service(env, OneAgent());
  const StateHealth health = service.Health({}, {}).value();
  EXPECT_EQ(health.status, "degraded");
  EXPECT_TRUE(health.organism_connected);
  EXPECT_EQ(health.parts,
            (std::map<std::string, bool>{{"agents", true}, {"organs", false}, {"system", false}, {"memory", false}}));
}

TEST(StateServiceTest, APartWhoseSourceFailsIsNotHealthy) {
  SimEnv env;
  state::StateSource source = OneAgent();
  source.agents = [](const CallContext&) -> Result<std::map<std::string, state::AgentSnapshot>> {
    return Fail(ErrorCode::kUnavailable, "the organism is not initialized");
  };
  source.host = [] { return state::HostState{.cpu_percent = 5.0}; };
  StateService service(env, source);
  const StateHealth health = service.Health({}, {}).value();
  EXPECT_EQ(health.status, "degraded");
  EXPECT_FALSE(health.organism_connected);
  EXPECT_FALSE(health.parts.at("agents"));
  EXPECT_TRUE(health.parts.at("system"));
}

TEST(StateServiceTest, WithoutAnySourceItIsUnhealthyWithStatus503) {
  SimEnv env;
  StateService service(env, {});
  EXPECT_EQ(Dispatch(service, net::Method::kGet, "/state/health").status, 503);
  EXPECT_EQ(Dispatch(service, net::Method::kGet, "/state/unified-state").status, 503);
}

TEST(StateServiceTest, StatusTriesEveryPart) {
  SimEnv env;
  state::StateSource source = OneAgent();
  source.memory = [](const CallContext&) -> Result<state::MemoryState> {
    return Fail(ErrorCode::kDeadlineExceeded, "too slow");
  };
  StateService service(env, source);
  const StateStatus status = service.Status({}, {}).value();
  EXPECT_EQ(status.aggregators.at("agents").status, "available");
  EXPECT_EQ(status.aggregators.at("agents").count, 1);
  EXPECT_EQ(status.aggregators.at("memory").status, "unavailable");
  EXPECT_EQ(status.aggregators.at("memory").reason, "deadline_exceeded: too slow");
  EXPECT_EQ(status.aggregators.at("organs").status, "unavailable");
}

TEST(StateServiceTest, TheStateComesWithWhatIsMissingAndWhatDoesNotHold) {
  SimEnv env;
  state::StateSource source;
  source.agents = [](const CallContext&) -> Result<std::map<std::string, state::AgentSnapshot>> {
    return std::map<std::string, state::AgentSnapshot>{{"a", {.h = {1}, .p = {.9, .9, 0}}}};
  };
  StateService service(env, source);
  const UnifiedStateResponse response = service.UnifiedState({}, {}).value();
  ASSERT_EQ(response.issues.size(), 1U);
  EXPECT_EQ(response.issues[0].code, "P.sum");
  EXPECT_EQ(response.missing.size(), 4U);
  EXPECT_FALSE(response.unified_state.memory);
}

TEST(StateServiceTest, TheQueryFormTakesIdsAndFlags) {
  SimEnv env;
  StateService service(env, OneAgent());
  const auto found = Dispatch(service, net::Method::kGet, "/state/unified-state",
                              {{"agent_ids", "a"}, {"include_organs", "false"}, {"include_system", "false"}});
  EXPECT_EQ(found.status, 200) << found.body;
  EXPECT_EQ(Dispatch(service, net::Method::kGet, "/state/unified-state", {{"agent_ids", "a,b"}}).status, 404);
  EXPECT_EQ(Dispatch(service, net::Method::kGet, "/state/unified-state", {{"include_all", "true"}}).status, 422);
}

TEST(StateServiceTest, ACallPastItsDeadlineCollectsNothing) {
  SimEnv env;
  StateService service(env, OneAgent());
  CallContext call;
  call.deadline = env.Now();
  EXPECT_EQ(service.UnifiedState({}, call).error().code, ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace seedcore::service
