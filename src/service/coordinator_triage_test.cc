#include "service/coordinator_test_world.h"

namespace seedcore::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TriageTest : public CoordinatorTest {
 protected:
  TriageTest() {
    On("/cognitive/reason-about-failure",
       [this](const json::object& request, const CallContext&) -> Result<json::value> {
         reasoned_ = request;
         ReasonAboutFailureResponse reply;
         reply.result.result.thought = "demand doubled";
         reply.result.result.proposed_solution = "look at it";
         reply.result.metadata.provider = "rules";
         return ToJson(reply);
       });
    On("/cognitive/make-decision", [this](const json::object& request, const CallContext&) -> Result<json::value> {
      decided_ = request;
      MakeDecisionResponse reply;
      reply.result.result.decision = "investigate";
      reply.result.result.action = cognitive::Action::kInvestigate;
      reply.result.result.reasoning = "well supported";
      reply.result.result.confidence = 0.8;
      return ToJson(reply);
    });
    On("/cognitive/synthesize-memory", [this](const json::object& request, const CallContext&) -> Result<json::value> {
      synthesized_ = request;
      SynthesizeMemoryResponse reply;
      reply.result.result.synthesized_insight = "insight";
      return ToJson(reply);
    });
  }

  void AnswerAnomaly(std::optional<std::string> severity) {
    On("/ml/detect/anomaly", [severity](const json::object& request, const CallContext&) -> Result<json::value> {
      AnomalyResponse reply;
      reply.summary.points = static_cast<std::int64_t>(request.at("data").as_array().size());
      if (severity) {
        reply.anomalies.push_back({.index = 1, .value = 9.0, .score = 0.9, .severity = *severity, .reason = "jump"});
        reply.summary.count = 1;
        reply.summary.max_score = 0.9;
      }
      return ToJson(reply);
    });
  }

  AnomalyTriageResponse Triage(json::object context = {}, const CallContext& call = {}) {
    auto response =
        service_->AnomalyTriage({.agent_id = "sensor", .series = {1, 9, 1}, .context = std::move(context)}, call);
    EXPECT_TRUE(response) << ToString(response.error());
    return response ? *response : AnomalyTriageResponse{};
  }

  json::object reasoned_;
  json::object decided_;
  json::object synthesized_;
};

TEST_F(TriageTest, AQuietSeriesNeedsNoReasoning) {
  AnswerAnomaly(std::nullopt);
  const auto response = Triage();
  EXPECT_FALSE(response.escalated);
  EXPECT_EQ(response.decision.at("action"), json::value("ignore"));
  EXPECT_EQ(CallsTo("/cognitive/reason-about-failure"), 0);
  EXPECT_EQ(response.mutation.action, "hold");
}

TEST_F(TriageTest, ATriageWithinATaskLeavesTheIncidentToTheCompletion) {
  AnswerAnomaly("critical");
  const auto response = service_->AnomalyTriage(
      {.agent_id = "sensor", .series = {1, 9, 1}, .context = {}, .effects = EffectsMode::kReturn}, {});
  ASSERT_TRUE(response);
  EXPECT_THAT(Incidents(), IsEmpty());
  EXPECT_FALSE(response->incident_id);
  ASSERT_TRUE(response->effects);
  EXPECT_EQ(response->effects->incidents.at(0).salience_score, 0.9);
}

TEST_F(TriageTest, ASevereAnomalyIsReasonedAboutDecidedAndKept) {
  AnswerAnomaly("critical");
  const auto response = Triage({{"station", "north"}, {"api_key", "hush"}});
  EXPECT_TRUE(response.escalated);
  EXPECT_EQ(response.routing_reason, "1 anomalous point, the worst of severity critical");
  EXPECT_EQ(response.reason.at("thought"), json::value("demand doubled"));
  EXPECT_EQ(response.decision.at("action"), json::value("investigate"));
  EXPECT_EQ(decided_.at("decision_context").at("reason").at("thought"), json::value("demand doubled"));
  EXPECT_EQ(reasoned_.at("agent_id"), json::value("sensor"));
  const auto incidents = Incidents();
  ASSERT_EQ(incidents.size(), 1u);
  EXPECT_EQ(response.incident_id, incidents[0].incident_id);
  EXPECT_EQ(incidents[0].salience_score, 0.9);
  EXPECT_EQ(incidents[0].event_data.at("context").at("station"), json::value("north"));
  EXPECT_EQ(incidents[0].event_data.at("context").at("api_key"), json::value("[REDACTED]"));
  EXPECT_EQ(incidents[0].event_data.at("decision").at("action"), json::value("investigate"));
}

TEST_F(TriageTest, AMildAnomalyIsWatched) {
  AnswerAnomaly("low");
  const auto response = Triage();
  EXPECT_FALSE(response.escalated);
  EXPECT_EQ(response.decision.at("action"), json::value("hold"));
  EXPECT_THAT(Incidents(), IsEmpty());
}

TEST_F(TriageTest, HighDriftEscalatesEvenAMildAnomaly) {
  AnswerDrift(0.8);
  AnswerAnomaly("low");
  EXPECT_EQ(Triage().routing_reason, "Matched rule: Anomaly with high drift");
}

TEST_F(TriageTest, ReasoningThatFailsFailsTheTriage) {
  AnswerAnomaly("critical");
  On("/cognitive/make-decision", nullptr);
  const auto response = service_->AnomalyTriage({.agent_id = "sensor", .series = {1}}, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
}

TEST_F(TriageTest, WithoutASummaryTheIncidentIsKeptAllTheSame) {
  AnswerAnomaly("critical");
  On("/cognitive/synthesize-memory", nullptr);
  const auto response = Triage();
  EXPECT_EQ(Incidents().size(), 1u);
  EXPECT_THAT(response.warnings, ElementsAre(HasSubstr("no summary for memory")));
}

TEST_F(TriageTest, TuningIsReportedAsNotAvailable) {
  UseRules("[{when: '1', do: fast_path}]",
           "[{when: \"decision.action == 'ignore' and p_fast == 1\", do: submit_tuning}]");
  AnswerAnomaly(std::nullopt);
  const auto response = Triage();
  EXPECT_EQ(response.mutation.action, "submit_tuning");
  EXPECT_EQ(response.tuning_job->at("status"), json::value("not available"));
}

TEST_F(TriageTest, TimestampsMayComeWithTheContext) {
  json::object seen;
  On("/ml/detect/anomaly", [&](const json::object& request, const CallContext&) -> Result<json::value> {
    seen = request;
    return ToJson(AnomalyResponse{});
  });
  Triage({{"timestamps", json::array{1, 2, 3}}, {"report_from", 2}});
  EXPECT_EQ(seen.at("timestamps").as_array().size(), 3u);
  EXPECT_EQ(seen.at("report_from"), json::value(2));
}

// The executor of anomaly_triage tasks calls the coordinator back: the drift of the task was measured before.
TEST_F(TriageTest, WithinATaskItsDriftIsUsed) {
  AnswerAnomaly("low");
  AnswerDrift(0.3);
  On("/organism/execute-on-organ", [this](const json::object& request, const CallContext& call) -> Result<json::value> {
    // The executor hands on what came with the task, to whichever replica of the coordinator answers: another one here.
    AnomalyTriageRequest back{.agent_id = "sensor", .series = {1, 9, 1}};
    back.evidence = FromJson<Evidence>(request.at("task").at("evidence")).value();
    CoordinatorService replica(Dependencies(rules_));
    const auto triage = replica.AnomalyTriage(back, call);
    EXPECT_EQ(triage->drift, 0.3);
    EXPECT_EQ(triage->ocps->stream, "anomaly_triage|");
    return Reply(request, ToJson(*triage));
  });
  EXPECT_TRUE(Route({.id = "t", .type = "anomaly_triage"}).success);
  EXPECT_EQ(CallsTo("/ml/drift/score"), 1);
}

}  // namespace
}  // namespace seedcore::service
