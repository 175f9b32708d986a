#include "service/energy.h"

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "ml/testing.h"

namespace seedcore::service {
namespace {

/// A ledger in memory that books as the real one does.
class MemoryLedger final : public store::LedgerStore {
 public:
  Result<store::LedgerEntry> Append(const store::NewLedgerEntry& entry) override {
    if (fail) return Fail(ErrorCode::kUnavailable, "disk full");
    double& balance = balances_[{entry.scope, entry.scope_id}];
    balance += -entry.delta_e - entry.cost;
    store::LedgerEntry written;
    static_cast<store::NewLedgerEntry&>(written) = entry;
    written.tx_id = "tx" + std::to_string(entries.size());
    written.balance_after = balance;
    entries.push_back(written);
    return written;
  }
  Result<double> Balance(const std::string& scope, const std::string& id) override { return balances_[{scope, id}]; }
  Result<std::vector<store::LedgerEntry>> Recent(int) override { return entries; }
  Result<std::vector<store::LedgerEntry>> ForTask(const std::string& task_id) override {
    std::vector<store::LedgerEntry> found;
    for (const auto& entry : entries) {
      if (entry.task_id == task_id) found.push_back(entry);
    }
    return found;
  }

  bool fail = false;
  std::vector<store::LedgerEntry> entries;

 private:
  std::map<std::pair<std::string, std::string>, double> balances_;
};

constexpr std::string_view kGoldenB = R"({"unified_state":{"agents":{
    "a1":{"h":[0.1,0.2],"p":{"E":0.34,"S":0.33,"O":0.33}},
    "a2":{"h":[0,0.1],"p":{"E":0.3,"S":0.3,"O":0.4}}},"system":{"E_patterns":[1,1,1,1]}})";

class EnergyServiceTest : public testing::Test {
 protected:
  EnergyServiceTest()
      : state_(env_, Source()),
        service_({.env = env_,
                  .metrics = metrics_,
                  .streams = streams_,
                  .ledger = ledger_,
                  .state = peer_,
                  .routing_shares = [this] { return shares_; },
                  .stability = {}}) {
    peer_.BindLocal(state_);
  }

  state::StateSource Source() {
    state::StateSource source;
    source.agents = [this](const CallContext&) -> Result<std::map<std::string, state::AgentSnapshot>> {
      if (!agents_) return Fail(ErrorCode::kUnavailable, "the organism is starting");
      return *agents_;
    };
    return source;
  }

  net::Response Send(net::Method method, const std::string& path, std::string body = {},
                     std::multimap<std::string, std::string> query = {}, CallContext call = {}) {
    for (const net::Route& route : Routes(EnergyOperations(), service_)) {
      if (route.method != method || route.pattern != "/energy" + path) continue;
      net::Request request;
      request.method = method;
      request.path = route.pattern;
      request.body = std::move(body);
      request.query = std::move(query);
      request.call = std::move(call);
      return route.handler(request);
    }
    return {.status = 404};
  }
  net::Response Post(const std::string& path, std::string body) {
    return Send(net::Method::kPost, path, std::move(body));
  }
  net::Response Get(const std::string& path) { return Send(net::Method::kGet, path); }

  static json::object Body(const net::Response& response) { return ParseJson(response.body).value().as_object(); }

  SimEnv env_;
  Metrics metrics_;
  ml::MemoryStreams streams_;
  MemoryLedger ledger_;
  std::optional<std::map<std::string, state::AgentSnapshot>> agents_ =
      std::map<std::string, state::AgentSnapshot>{{"a", {.h = {.1, .2}, .p = {.34, .33, .33}}}};
  std::optional<std::pair<double, double>> shares_;
  StateService state_;
  Peer<StateService> peer_;
  EnergyService service_;
};

TEST_F(EnergyServiceTest, ComputesTheGoldenVectorOverJson) {
  const auto response = Post("/compute-energy", std::string(kGoldenB) + "}");
  ASSERT_EQ(response.status, 200) << response.body;
  const json::object energy = Body(response)["energy"].as_object();
  EXPECT_NEAR(energy.at("pair").as_double(), -0.006, 1e-9);
  EXPECT_NEAR(energy.at("total").as_double(), -0.6241412591, 1e-9);
  EXPECT_TRUE(Body(response)["gradients"].is_null());
  EXPECT_EQ(WriteJson(Body(response)["absent"]), R"(["memory.compression"])");
}

TEST_F(EnergyServiceTest, WithoutABreakdownOnlyTheTotalIsGiven) {
  const auto response = Post("/compute-energy", std::string(kGoldenB) + R"(,"include_breakdown":false})");
  EXPECT_EQ(Body(response)["energy"].as_object().size(), 1U);
  EXPECT_TRUE(Body(response)["breakdown"].is_null());
}

TEST_F(EnergyServiceTest, PartialWeightsReplaceOnlyWhatTheyName) {
  const auto response = Post("/compute-energy", std::string(kGoldenB) + R"(,"weights":{"lambda_reg":0.02}})");
  ASSERT_EQ(response.status, 200) << response.body;
  const json::object energy = Body(response)["energy"].as_object();
  EXPECT_NEAR(energy.at("reg").as_double(), 0.0012, 1e-12);
  EXPECT_NEAR(energy.at("pair").as_double(), -0.006, 1e-12);
}

TEST_F(EnergyServiceTest, GradientsAreThereWhenAskedFor) {
  const auto response = Post("/compute-energy", std::string(kGoldenB) + R"(,"include_gradients":true})");
  const json::object gradients = Body(response)["gradients"].as_object();
  EXPECT_EQ(WriteJson(gradients.at("dE/dE_sel")), "[-0.1,-0.1,-0.1,-0.1]");
  EXPECT_NEAR(gradients.at("dE/dH").as_array()[0].as_array()[1].as_double(), -0.04, 1e-12);
  const auto alone = Post("/gradient", std::string(kGoldenB) + "}");
  EXPECT_EQ(Body(alone)["gradients"], json::value(gradients));
  EXPECT_EQ(WriteJson(Body(alone)["agent_ids"]), R"(["a1","a2"])");
}

TEST_F(EnergyServiceTest, BadInputIsAnswered422WithItsPath) {
  const auto path = [&](std::string_view body) {
    const auto response = Post("/compute-energy", std::string(body));
    EXPECT_EQ(response.status, 422) << body;
    return std::string(Body(response)["error"].as_object().at("path").as_string());
  };
  EXPECT_EQ(path(R"({})"), "unified_state");
  EXPECT_EQ(path(R"({"unified_state":{"agents":{"a":{"h":[1],"p":{"E":"x"}}}}})"), "unified_state.agents.a.p.E");
  EXPECT_EQ(path(R"({"unified_state":{"agents":{"a":{"h":[1],"p":{"E":1}},"b":{"h":[],"p":{"E":1}}}}})"),
            "unified_state.agents.b.h");
  EXPECT_EQ(path(std::string(kGoldenB) + R"(,"weights":{"W_pair":[[1]]}})"), "weights.W_pair");
  EXPECT_EQ(path(std::string(kGoldenB) + R"(,"weights":{"W_hyper":[1,2]}})"), "weights.W_hyper");
  EXPECT_EQ(path(std::string(kGoldenB) + R"(,"weights":{"beta_mem":-1}})"), "weights.beta_mem");
  EXPECT_EQ(Post("/compute-energy", "{").status, 400);
}

TEST_F(EnergyServiceTest, TheLiveEnergyIsThatOfTheStateService) {
  const auto response = Get("/energy-from-state");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_NEAR(Body(response)["energy"].as_object().at("pair").as_double(), -0.005, 1e-12);
  EXPECT_EQ(Body(Get("/metrics"))["total"], Body(response)["energy"].as_object().at("total"));
  EXPECT_NEAR(Body(Get("/gradient"))["gradients"].as_object().at("dE/dH").as_array()[0].as_array()[0].as_double(),
              -0.02, 1e-12);
  EXPECT_NE(metrics_.Expose().find(R"(energy_term_value{term="pair"} -0.005)"), std::string::npos);
}

TEST_F(EnergyServiceTest, WithoutAStateTheLiveOperationsAreUnavailable) {
  agents_.reset();
  for (const char* path : {"/energy-from-state", "/gradient", "/metrics", "/telemetry"}) {
    EXPECT_EQ(Get(path).status, 503) << path;
  }
  agents_.emplace();
  EXPECT_EQ(Get("/metrics").status, 503);
  EXPECT_EQ(Post("/compute-energy", std::string(kGoldenB) + "}").status, 200);
}

TEST_F(EnergyServiceTest, AnUnknownAgentIsNotFound) {
  EXPECT_EQ(Send(net::Method::kGet, "/energy-from-state", "", {{"agent_ids", "zz"}}).status, 404);
}

TEST_F(EnergyServiceTest, AResultIsBookedAndAdaptsTheWeights) {
  const auto response = Post("/flywheel/result", R"({"delta_e":-0.02,"cost":0.001})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_NEAR(Body(response)["balance_after"].as_double(), 0.019, 1e-12);
  // 0.05 is the lower bound of beta.
  EXPECT_EQ(Body(response)["updated_weights"].as_object().at("beta_mem").as_double(), 0.05);
  const auto again = Post("/flywheel/result", R"({"delta_e":0.5,"scope":"cluster"})");
  EXPECT_NEAR(Body(again)["balance_after"].as_double(), 0.019 - 0.5, 1e-12);
  EXPECT_NEAR(Body(again)["updated_weights"].as_object().at("beta_mem").as_double(), 0.051, 1e-12);
  EXPECT_NEAR(Body(Get("/status"))["default_weights"].as_object().at("beta_mem").as_double(), 0.051, 1e-12);
}

TEST_F(EnergyServiceTest, TheLedgerHoldsTheChangeAndNotTheTotal) {
  ASSERT_EQ(Post("/flywheel/result", R"({"delta_e":-0.5,"energy_before":-10,"energy_after":-10.5,"p_fast":0})").status,
            200);
  EXPECT_EQ(ledger_.entries[0].delta_e, -0.5);
  EXPECT_EQ(ledger_.entries[0].energy_before, -10.0);
  EXPECT_EQ(ledger_.entries[0].meta.at("p_fast"), 0.0);
  ASSERT_EQ(Post("/flywheel/result", R"({"delta_e":-0.5})").status, 200);
  EXPECT_EQ(ledger_.entries[1].meta.at("levels"), "relative");
  ASSERT_EQ(Post("/flywheel/result", R"({"delta_e":-0.5,"breakdown":{"pair":-3,"hyper":0,"entropy":0,"reg":0,"mem":0,)"
                                     R"("total":-3}})")
                .status,
            200);
  EXPECT_EQ(ledger_.entries[2].energy_after, -3.0);
  EXPECT_EQ(ledger_.entries[2].energy_before, -2.5);
}

TEST_F(EnergyServiceTest, AChangeThatContradictsTheEnergiesIsRefused) {
  const auto response = Post("/flywheel/result", R"({"delta_e":-0.5,"energy_before":1,"energy_after":2})");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(Body(response)["error"].as_object().at("path").as_string(), "delta_e");
  EXPECT_EQ(Post("/flywheel/result", R"({"delta_e":-0.5,"scope":"galaxy"})").status, 422);
  EXPECT_EQ(Post("/flywheel/result", R"({"delta_e":-0.5,"cost":-1})").status, 422);
  EXPECT_TRUE(ledger_.entries.empty());
}

TEST_F(EnergyServiceTest, ARetriedResultIsBookedOnce) {
  CallContext call;
  call.idempotency_key = "task-1:step-2";
  const std::string body = R"({"delta_e":-0.5,"task_id":"task-1"})";
  const auto first = Send(net::Method::kPost, "/flywheel/result", body, {}, call);
  const auto second = Send(net::Method::kPost, "/flywheel/result", body, {}, call);
  EXPECT_EQ(Body(first)["balance_after"], Body(second)["balance_after"]);
  EXPECT_EQ(ledger_.entries.size(), 1U);
}

TEST_F(EnergyServiceTest, AFullDiskIsAFailureOfTheResult) {
  ledger_.fail = true;
  EXPECT_EQ(Post("/flywheel/result", R"({"delta_e":-0.5})").status, 503);
}

TEST_F(EnergyServiceTest, AgentsAreRankedForTheTask) {
  const auto response = Post("/optimize-agents", R"({"unified_state":{"agents":{
      "weak":{"h":[0],"p":{"E":1},"c":0.2},"strong":{"h":[0],"p":{"S":1},"c":0.9},
      "gone":{"h":[0],"p":{"S":1},"c":1,"lifecycle":"Archived"}}},
      "task":{"type":"analysis","description":"find the cause","urgent":true},"max_agents":1})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(WriteJson(Body(response)["selected_agents"]), R"(["strong"])");
  EXPECT_EQ(WriteJson(Body(response)["recommended_roles"]), R"({"strong":"S"})");
  EXPECT_EQ(Body(response)["suitability_scores"].as_object().size(), 2U);
  EXPECT_NEAR(Body(response)["task_complexity"].as_double(), 0.9, 1e-12);
}

TEST_F(EnergyServiceTest, ATaskOfTheWrongShapeIsRefused) {
  const auto response = Post("/optimize-agents", std::string(kGoldenB) + R"(,"task":{"urgent":"very"}})");
  EXPECT_EQ(Body(response)["error"].as_object().at("path").as_string(), "task.urgent");
  EXPECT_EQ(Post("/optimize-agents", R"({"unified_state":{},"task":{}})").status, 422);
}

TEST_F(EnergyServiceTest, HealthIsDegradedWithoutStateAndUnhealthyWithoutWeights) {
  EXPECT_EQ(Body(Get("/health"))["status"].as_string(), "healthy");
  ml::MemoryStreams broken;
  broken.fail_loads = true;
  EnergyService lame({.env = env_,
                      .metrics = metrics_,
                      .streams = broken,
                      .ledger = ledger_,
                      .state = Peer<StateService>(),
                      .routing_shares = {},
                      .stability = {}});
  const EnergyHealth health = lame.Health({}, {}).value();
  EXPECT_EQ(health.status, "unhealthy");
  EXPECT_EQ(health.HttpStatus(), 503);
  EXPECT_FALSE(health.state_service_connected);
  broken.fail_loads = false;
  EXPECT_EQ(lame.Health({}, {}).value().status, "degraded");
}

TEST_F(EnergyServiceTest, WeightsThatWereReadStayGoodWhileTheStoreDoesNotAnswer) {
  ASSERT_EQ(Post("/flywheel/result", R"({"delta_e":0.5,"beta_mem":0.3})").status, 200);
  streams_.fail_loads = true;
  env_.Advance(std::chrono::seconds(10));
  EXPECT_EQ(Body(Get("/status"))["default_weights"].as_object().at("beta_mem").as_double(), 0.3);
  EXPECT_EQ(Body(Get("/health"))["status"].as_string(), "degraded");
}

TEST_F(EnergyServiceTest, WeightsThatAnotherReplicaAdaptedAreSeenWithinSeconds) {
  ASSERT_EQ(Get("/status").status, 200);
  energy::Weights other;
  other.beta_mem = 0.4;
  ASSERT_TRUE(
      streams_.Update("energy_weights", "cluster", [&](const json::value&) { return energy::WeightsToJson(other); }));
  env_.Advance(std::chrono::seconds(6));
  EXPECT_EQ(Body(Get("/status"))["default_weights"].as_object().at("beta_mem").as_double(), 0.4);
}

TEST_F(EnergyServiceTest, StabilityIsUnavailableWithoutTrafficAndMeasuredWithIt) {
  EXPECT_EQ(Get("/meta").status, 503);
  shares_ = {0.9, 0.1};
  const auto response = Get("/meta");
  EXPECT_NEAR(Body(response)["L_tot"].as_double(), 0.8 * 0.95 * 0.05, 1e-12);
  EXPECT_TRUE(Body(response)["ok_for_promotion"].as_bool());
}

TEST_F(EnergyServiceTest, TheLedgerCanBeReadAndItsBalanceIsTheSumOfItsEntries) {
  ASSERT_EQ(
      Post("/flywheel/result", R"({"delta_e":-0.5,"cost":0.1,"scope":"agent","scope_id":"a1","task_id":"t1"})").status,
      200);
  ASSERT_EQ(Post("/flywheel/result", R"({"delta_e":0.2,"scope":"agent","scope_id":"a1","task_id":"t2"})").status, 200);
  const auto balance = Body(Send(net::Method::kGet, "/balance", {}, {{"scope", "agent"}, {"scope_id", "a1"}}));
  EXPECT_NEAR(balance.at("balance").as_double(), 0.2, 1e-12);
  const auto of_task = Body(Send(net::Method::kGet, "/ledger", {}, {{"task_id", "t1"}}));
  ASSERT_EQ(of_task.at("entries").as_array().size(), 1U);
  EXPECT_EQ(of_task.at("entries").at(0).at("delta_e").as_double(), -0.5);
  EXPECT_EQ(Body(Get("/ledger")).at("entries").as_array().size(), 2U);
  EXPECT_EQ(Send(net::Method::kGet, "/ledger", {}, {{"limit", "0"}}).status, 422);
}

TEST_F(EnergyServiceTest, AnAmountThatCouldSpoilABalanceIsRefused) {
  EXPECT_EQ(Post("/flywheel/result", R"({"delta_e":1e308})").status, 422);
  EXPECT_EQ(Post("/flywheel/result", R"({"delta_e":1,"cost":1e308})").status, 422);
  EXPECT_TRUE(ledger_.entries.empty());
}

TEST_F(EnergyServiceTest, NothingIsZeroAndNotMinusZero) {
  EXPECT_FALSE(Post("/compute-energy", R"({"unified_state":{"agents":{}}})").body.contains("-0"));
}

}  // namespace
}  // namespace seedcore::service
