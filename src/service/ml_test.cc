#include "service/ml.h"

#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "ml/testing.h"
#include "service/ml_anomaly.h"

namespace seedcore::service {
namespace {

class MlServiceTest : public testing::Test {
 protected:
  MlServiceTest() : service_({.env = env_, .streams = streams_, .host = {}, .drift = {}}) {}

  net::Response Send(net::Method method, const std::string& path, std::string body = {}) {
    for (const net::Route& route : Routes(MlOperations(), service_)) {
      if (route.method != method || route.pattern != "/ml" + path) continue;
      net::Request request;
      request.method = method;
      request.path = route.pattern;
      request.body = std::move(body);
      return route.handler(request);
    }
    return {.status = 404};
  }
  net::Response Post(const std::string& path, std::string body) {
    return Send(net::Method::kPost, path, std::move(body));
  }
  static json::object Body(const net::Response& response) { return ParseJson(response.body).value().as_object(); }
  static std::string ErrorPath(const net::Response& response) {
    return std::string(Body(response)["error"].as_object().at("path").as_string());
  }

  SimEnv env_;
  ml::MemoryStreams streams_;
  MlService service_;
};

/// A noisy level with one spike.
std::vector<double> Series(std::size_t points, std::size_t spike) {
  std::vector<double> series(points);
  for (std::size_t i = 0; i < points; ++i) {
    const double x = static_cast<double>(i);
    series[i] = 100.0 + 2.0 * std::sin(x * 12.9898) + 1.5 * std::sin(x * 78.233);
  }
  series[spike] = 500.0;
  return series;
}

TEST_F(MlServiceTest, TheIndexListsWhatIsMounted) {
  const json::object body = Body(Send(net::Method::kGet, ""));
  for (const auto& endpoint : body.at("endpoints").as_object()) {
    const std::string path(endpoint.value().as_string());
    bool mounted = false;
    for (const net::Route& route : Routes(MlOperations(), service_)) mounted |= route.pattern == path;
    EXPECT_TRUE(mounted) << path;
  }
  EXPECT_EQ(Post("/chat", "{}").status, 404);
}

TEST_F(MlServiceTest, DriftOfAKnownTaskIsTheSameAgain) {
  const std::string request =
      R"({"task":{"id":"t1","type":"general_query","description":"status?","priority":5,"complexity":0.3,)"
      R"("latency_ms":150,"memory_usage":0.4,"cpu_usage":0.3,"history_ids":["a","b"],"other":1},"text":"optional"})";
  const auto response = Post("/drift/score", request);
  ASSERT_EQ(response.status, 200) << response.body;
  const json::object body = Body(response);
  for (const char* key : {"drift_score", "log_likelihood", "confidence", "processing_time_ms", "model_version",
                          "model_checksum", "drift_mode", "accuracy_warning", "status", "timestamp"}) {
    EXPECT_TRUE(body.contains(key)) << key;
  }
  EXPECT_EQ(body.at("observations").as_int64(), 0);
  EXPECT_EQ(body.at("stream").as_string(), "general_query|");
  EXPECT_TRUE(body.at("accuracy_warning").is_string());
  EXPECT_EQ(Post("/drift/score", request).body, response.body);
}

TEST_F(MlServiceTest, DriftRisesWhenTheTasksChange) {
  const auto score = [&](int i, std::string_view text) {
    DriftRequest request;
    request.task = {{"id", fmt::format("t{}", i)}, {"type", "general_query"}, {"domain", "taxi"}};
    request.text = text;
    return service_.DriftScore(request, {}).value();
  };
  for (int i = 0; i < 60; ++i) EXPECT_LT(score(i, "how many taxis are in Manhattan").drift_score, 0.1);
  const DriftResponse shifted = score(99, "delete every invoice of the supplier");
  EXPECT_GT(shifted.drift_score, 0.7);
  EXPECT_NEAR(shifted.drift_score, 1.0 - std::exp(shifted.log_likelihood), 1e-12);
  EXPECT_TRUE(shifted.warmed_up);
  EXPECT_FALSE(shifted.accuracy_warning);
}

TEST_F(MlServiceTest, ADriftRequestThatCannotBeReadIsRefusedWithItsPath) {
  EXPECT_EQ(ErrorPath(Post("/drift/score", R"({"task":{}})")), "task");
  EXPECT_EQ(ErrorPath(Post("/drift/score", R"({})")), "task");
  EXPECT_EQ(ErrorPath(Post("/drift/score", R"({"task":{"priority":"x"}})")), "task.priority");
  EXPECT_EQ(ErrorPath(Post("/drift/score", R"({"task":{"id":3}})")), "task.id");
  EXPECT_EQ(Post("/drift/score", R"({"task":{"id":3}})").status, 422);
}

TEST_F(MlServiceTest, WarmUpTeachesAColdStreamOnce) {
  const std::string body = fmt::format(R"({{"type":"execute","sample_texts":[{}"bake bread"]}})", [] {
    std::string texts;
    for (int i = 0; i < 19; ++i) texts += R"("bake bread",)";
    return texts;
  }());
  EXPECT_TRUE(Body(Post("/drift/warmup", body))["warmed_up"].as_bool());
  EXPECT_EQ(Body(Post("/drift/warmup", body))["observations"].as_int64(), 20);
  EXPECT_EQ(Post("/drift/warmup", "").status, 200);
}

TEST_F(MlServiceTest, HealthIsDegradedWhileBaselinesCannotBeSaved) {
  EXPECT_EQ(Body(Send(net::Method::kGet, "/health"))["status"].as_string(), "healthy");
  streams_.fail_writes = true;
  ASSERT_EQ(Post("/drift/score", R"({"task":{"type":"execute"}})").status, 200);
  EXPECT_EQ(Body(Send(net::Method::kGet, "/health"))["status"].as_string(), "degraded");
  EXPECT_FALSE(service_.Flush());
}

TEST_F(MlServiceTest, SalienceTakesFeaturesOrText) {
  const auto scores = Post("/score/salience", R"({"features":[{"task_risk":1,"failure_severity":1},{}]})");
  ASSERT_EQ(scores.status, 200) << scores.body;
  EXPECT_EQ(Body(scores)["scores"].as_array().size(), 2U);
  const auto text = Post("/score/salience", R"({"text":"critical outage","context":{"priority":9}})");
  ASSERT_EQ(text.status, 200) << text.body;
  EXPECT_GT(Body(text)["score"].as_double(), 0.5);
  EXPECT_EQ(Post("/score/salience", R"({})").status, 422);
  EXPECT_EQ(ErrorPath(Post("/score/salience", R"({"features":[{},{"cpu_usage":2}]})")), "features[1].cpu_usage");
}

TEST_F(MlServiceTest, ScalingNeedsAMetric) {
  EXPECT_EQ(Body(Post("/predict/scaling", R"({"metrics":{"cpu_usage":0.95}})"))["recommendation"].as_string(),
            "scale_up");
  EXPECT_EQ(Post("/predict/scaling", R"({"metrics":{"request_rate":5}})").status, 422);
  EXPECT_EQ(ErrorPath(Post("/predict/scaling", R"({"metrics":{"cpu_usage":95}})")), "metrics.cpu_usage");
}

TEST_F(MlServiceTest, EveryAnomalousPointIsListed) {
  AnomalyRequest request;
  request.data = Series(1000, 700);
  const auto response = service_.DetectAnomaly(request, {}).value();
  ASSERT_FALSE(response.anomalies.empty());
  const auto spike = std::ranges::find(response.anomalies, 700, &AnomalousPoint::index);
  ASSERT_NE(spike, response.anomalies.end());
  EXPECT_EQ(spike->value, 500.0);
  EXPECT_GE(spike->score, 0.5);
  EXPECT_FALSE(spike->reason.empty());
  EXPECT_EQ(response.summary.count, static_cast<std::int64_t>(response.anomalies.size()));
  EXPECT_EQ(response.drift_score, response.summary.max_score);
}

TEST_F(MlServiceTest, PointsBeforeReportFromServeAsHistoryOnly) {
  AnomalyRequest request;
  request.data = Series(1000, 700);
  request.report_from = 701;
  const auto response = DetectInSeries(request);
  ASSERT_TRUE(response);
  for (const AnomalousPoint& point : response->anomalies) EXPECT_GE(point.index, 701);
}

TEST_F(MlServiceTest, TimestampsMayBeTextOrSecondsAndComeBackAsGiven) {
  AnomalyRequest request;
  request.data = Series(1000, 700);
  for (int i = 0; i < 1000; ++i) request.timestamps.emplace_back(1'404'172'800 + 1800 * i);
  request.timestamps[700] = "2014-07-15T14:00:00Z";
  const auto response = DetectInSeries(request).value();
  const auto spike = std::ranges::find(response.anomalies, 700, &AnomalousPoint::index);
  ASSERT_NE(spike, response.anomalies.end());
  EXPECT_EQ(spike->timestamp, json::value("2014-07-15T14:00:00Z"));
}

TEST_F(MlServiceTest, SeriesThatAreNoneAreRefused) {
  EXPECT_EQ(Post("/detect/anomaly", R"({"data":[]})").status, 422);
  EXPECT_EQ(Post("/detect/anomaly", R"({"data":[1,null]})").status, 422);
  EXPECT_EQ(ErrorPath(Post("/detect/anomaly", R"({"data":[1,2],"timestamps":[1]})")), "timestamps");
  EXPECT_EQ(ErrorPath(Post("/detect/anomaly", R"({"data":[1,2],"timestamps":[1,"soon"]})")), "timestamps[1]");
  EXPECT_EQ(ErrorPath(Post("/detect/anomaly", R"({"data":[1,2],"threshold":0})")), "threshold");
  EXPECT_EQ(ErrorPath(Post("/detect/anomaly", R"({"data":[1,2],"report_from":-1})")), "report_from");
  AnomalyRequest request;
  request.data = {1.0, NAN};
  EXPECT_EQ(DetectInSeries(request).error().path, "data[1]");
}

TEST_F(MlServiceTest, ASeriesOfMoreThanAMillionPointsIsTooLarge) {
  AnomalyRequest request;
  request.data.assign(kMaxSeriesPoints + 1, 1.0);
  EXPECT_EQ(DetectInSeries(request).error().code, ErrorCode::kPayloadTooLarge);
}

TEST_F(MlServiceTest, TheLengthOfASeriesIsASetting) {
  MlService small({.env = env_, .streams = streams_, .host = {}, .drift = {}, .max_series_points = 10});
  AnomalyRequest request;
  request.data.assign(10, 1.0);
  EXPECT_TRUE(small.DetectAnomaly(request, {}));
  request.data.push_back(1.0);
  EXPECT_EQ(small.DetectAnomaly(request, {}).error().code, ErrorCode::kPayloadTooLarge);
}

}  // namespace
}  // namespace seedcore::service
