#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "ml/anomaly.h"
#include "ml/drift.h"
#include "ml/salience.h"
#include "ml/scaling.h"
#include "service/operation.h"
#include "state/unified_state.h"
#include "store/store.h"

/// The ML service, /ml: drift, salience, anomalies and scaling (P§1.1).
namespace seedcore::service {

struct MlIndex {
  std::string status = "ok";
  std::string service = "seedcore-ml";
  std::string version;
  std::map<std::string, std::string> endpoints;
  static constexpr auto kFields =
      Fields(Required("status", &MlIndex::status, "ok"), Required("service", &MlIndex::service, "seedcore-ml"),
             Required("version", &MlIndex::version, "Version of SeedCore"),
             Required("endpoints", &MlIndex::endpoints, "Path by name"));
};

struct MlHealth {
  std::string status = "healthy";
  std::string service = "ml_serve";
  double timestamp = 0.0;
  std::map<std::string, std::string> models;
  state::HostState system;
  std::string version;
  std::optional<std::string> error;
  static constexpr auto kFields =
      Fields(Required("status", &MlHealth::status, "healthy, or degraded: drift baselines are not being saved"),
             Required("service", &MlHealth::service, "ml_serve"),
             Required("timestamp", &MlHealth::timestamp, "When, Unix seconds"),
             Required("models", &MlHealth::models, "Each scorer: available, or why not"),
             Required("system", &MlHealth::system, "Measurements of the machine"),
             Required("version", &MlHealth::version, "Version of SeedCore"),
             Sparse("error", &MlHealth::error, "Why the status is not healthy"));
};

struct DriftRequest {
  json::object task;
  std::string text;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(
      Required("task", &DriftRequest::task,
               "Not empty. Read: id, type, domain, description, priority, complexity, latency_ms, memory_usage, "
               "cpu_usage, history_ids. A known id is not counted twice; without one, equal input is told the same"),
      Optional("text", &DriftRequest::text, "Text to score; default: the description, else the type"));
};

struct DriftResponse {
  double drift_score = 0.0;
  double log_likelihood = 0.0;
  double confidence = 0.0;
  double processing_time_ms = 0.0;
  std::string model_version;
  std::string model_checksum;
  std::string drift_mode;
  std::optional<std::string> accuracy_warning;
  bool warmed_up = false;
  std::int64_t observations = 0;
  std::string stream;
  std::string status = "success";
  double timestamp = 0.0;
  static constexpr auto kFields = Fields(
      Required("drift_score", &DriftResponse::drift_score,
               "0 (as usual for this stream) to 1 (never seen the like): 1 - exp(log_likelihood)"),
      Required("log_likelihood", &DriftResponse::log_likelihood, "0 or less"),
      Required("confidence", &DriftResponse::confidence, "How well the baseline is known, 0 to 1"),
      Required("processing_time_ms", &DriftResponse::processing_time_ms, "How long it took"),
      Required("model_version", &DriftResponse::model_version, "drift-detector-<checksum>"),
      Required("model_checksum", &DriftResponse::model_checksum, "Of the features and constants; fixed per release"),
      Required("drift_mode", &DriftResponse::drift_mode, "hashing"),
      Optional("accuracy_warning", &DriftResponse::accuracy_warning, "Why the score says little yet, or null"),
      Required("warmed_up", &DriftResponse::warmed_up, "Whether the baseline has enough observations to judge"),
      Required("observations", &DriftResponse::observations, "Tasks in the baseline the score was taken against"),
      Required("stream", &DriftResponse::stream, "type|domain: which baseline"),
      Required("status", &DriftResponse::status, "success"),
      Required("timestamp", &DriftResponse::timestamp, "When, Unix seconds"));
};

struct DriftWarmupRequest {
  std::vector<std::string> sample_texts;
  std::string type;
  std::string domain;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Optional("sample_texts", &DriftWarmupRequest::sample_texts,
                      "Usual texts of the stream, at most 1000; they count only while the baseline is cold"),
             Optional("type", &DriftWarmupRequest::type, "Task type of the stream"),
             Optional("domain", &DriftWarmupRequest::domain, "Domain of the stream"));
};

struct DriftPerformance {
  std::int64_t total_requests = 0;
  double total_time_ms = 0.0;
  double average_time_ms = 0.0;
  bool model_loaded = true;
  std::string model_name;
  std::string device = "cpu";
  static constexpr auto kFields =
      Fields(Required("total_requests", &DriftPerformance::total_requests, "Scores since the start"),
             Required("total_time_ms", &DriftPerformance::total_time_ms, "Time spent on them"),
             Required("average_time_ms", &DriftPerformance::average_time_ms, "Time per score; 0 before the first"),
             Required("model_loaded", &DriftPerformance::model_loaded, "Always true: nothing needs loading"),
             Required("model_name", &DriftPerformance::model_name, "Which featurizer"),
             Required("device", &DriftPerformance::device, "cpu"));
};

struct DriftWarmupResponse {
  bool warmed_up = false;
  double warmup_time_ms = 0.0;
  std::int64_t observations = 0;
  DriftPerformance performance_stats;
  std::string status = "success";
  double timestamp = 0.0;
  static constexpr auto kFields = Fields(
      Required("warmed_up", &DriftWarmupResponse::warmed_up, "Whether the text baseline of the stream can judge"),
      Required("warmup_time_ms", &DriftWarmupResponse::warmup_time_ms, "How long it took"),
      Required("observations", &DriftWarmupResponse::observations, "Texts in the baseline of the stream"),
      Required("performance_stats", &DriftWarmupResponse::performance_stats, "Since the start"),
      Required("status", &DriftWarmupResponse::status, "success"),
      Required("timestamp", &DriftWarmupResponse::timestamp, "When, Unix seconds"));
};

struct SalienceContext {
  std::optional<double> priority;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(Sparse("priority", &SalienceContext::priority, "1 (low) to 10 (urgent)"));
};

struct SalienceRequest {
  std::vector<ml::SalienceFeatures> features;
  std::optional<std::string> text;
  std::optional<SalienceContext> context;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Sparse("features", &SalienceRequest::features, "What to score; at most 10,000"),
             Sparse("text", &SalienceRequest::text, "Or a text; it wins over features"),
             Sparse("context", &SalienceRequest::context, "About the text"));
};

struct SalienceResponse {
  std::optional<double> score;
  std::optional<std::vector<double>> scores;
  std::optional<ml::SalienceFeatures> features;
  std::string model = "ml_salience_scorer";
  std::string status = "success";
  double timestamp = 0.0;
  static constexpr auto kFields =
      Fields(Sparse("score", &SalienceResponse::score, "Of the text, 0 to 1"),
             Sparse("scores", &SalienceResponse::scores, "Of each element of features, 0 to 1"),
             Sparse("features", &SalienceResponse::features, "What was read out of the text"),
             Required("model", &SalienceResponse::model, "ml_salience_scorer"),
             Required("status", &SalienceResponse::status, "success"),
             Required("timestamp", &SalienceResponse::timestamp, "When, Unix seconds"));
};

/// Points a series may have unless MlDependencies says otherwise.
inline constexpr std::size_t kMaxSeriesPoints = 1'000'000;

struct AnomalyRequest {
  std::vector<double> data;
  std::vector<json::value> timestamps;
  std::int64_t report_from = 0;
  std::optional<double> threshold;
  ml::Reporting report = ml::Reporting::kPoints;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Required("data", &AnomalyRequest::data, "The series, oldest first; 1 to 1,000,000 finite numbers"),
             Sparse("timestamps", &AnomalyRequest::timestamps,
                    "One per number: RFC 3339 text or Unix seconds; they make daily and weekly seasons visible"),
             Optional("report_from", &AnomalyRequest::report_from,
                      "Only points from this index on are reported; those before serve as history"),
             Sparse("threshold", &AnomalyRequest::threshold, "Score from which a point is anomalous, in (0, 1]"),
             Optional("report", &AnomalyRequest::report,
                      "points: every anomalous point; events: one alarm for each thing that begins"));
};

struct AnomalousPoint {
  std::int64_t index = 0;
  double value = 0.0;
  double score = 0.0;
  std::string severity;
  double expected = 0.0;
  std::string reason;
  std::optional<json::value> timestamp;
  double drift_score = 0.0;
  static constexpr auto kFields = Fields(
      Required("index", &AnomalousPoint::index, "Position in data, from 0"),
      Required("value", &AnomalousPoint::value, "The value there"), Required("score", &AnomalousPoint::score, "0 to 1"),
      Required("severity", &AnomalousPoint::severity, "low, medium, high or critical"),
      Required("expected", &AnomalousPoint::expected, "Value expected from the past"),
      Required("reason", &AnomalousPoint::reason, "The strongest evidence in one sentence"),
      Sparse("timestamp", &AnomalousPoint::timestamp, "As given"),
      Required("drift_score", &AnomalousPoint::drift_score, "The same as score; an older name"));
};

struct AnomalySummary {
  std::int64_t points = 0;
  std::int64_t count = 0;
  double max_score = 0.0;
  std::map<std::string, std::int64_t> by_severity;
  static constexpr auto kFields =
      Fields(Required("points", &AnomalySummary::points, "Points of the series"),
             Required("count", &AnomalySummary::count, "Anomalous points reported"),
             Required("max_score", &AnomalySummary::max_score, "Highest score among them; 0 when there is none"),
             Required("by_severity", &AnomalySummary::by_severity, "How many of each severity"));
};

struct AnomalyResponse {
  std::vector<AnomalousPoint> anomalies;
  AnomalySummary summary;
  double drift_score = 0.0;
  double log_likelihood = 0.0;
  double confidence = 0.0;
  double processing_time_ms = 0.0;
  std::string model = "seedcore_online_detector";
  std::string status = "success";
  double timestamp = 0.0;
  static constexpr auto kFields = Fields(
      Required("anomalies", &AnomalyResponse::anomalies, "Every anomalous point, in order"),
      Required("summary", &AnomalyResponse::summary, "What was found, in figures"),
      Required("drift_score", &AnomalyResponse::drift_score, "The same as summary.max_score; an older name"),
      Required("log_likelihood", &AnomalyResponse::log_likelihood, "ln(1 - drift_score), not below -20"),
      Required("confidence", &AnomalyResponse::confidence, "Share of the series that was past the warm-up, 0 to 1"),
      Required("processing_time_ms", &AnomalyResponse::processing_time_ms, "How long it took"),
      Required("model", &AnomalyResponse::model, "Which detector"),
      Required("status", &AnomalyResponse::status, "success"),
      Required("timestamp", &AnomalyResponse::timestamp, "When, Unix seconds"));
};

struct ScalingRequest {
  ml::ScalingMetrics metrics;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Required("metrics", &ScalingRequest::metrics, "Measurements; at least one of cpu, memory, response time"));
};

struct ScalingResponse {
  std::string recommendation;
  double scale = 1.0;
  double confidence = 0.0;
  std::string priority;
  std::map<std::string, double> factors;
  std::string reason;
  std::string model = "scaling_predictor";
  std::string status = "success";
  double timestamp = 0.0;
  static constexpr auto kFields =
      Fields(Required("recommendation", &ScalingResponse::recommendation, "scale_up, scale_down, maintain or monitor"),
             Required("scale", &ScalingResponse::scale, "Capacity wanted relative to now"),
             Required("confidence", &ScalingResponse::confidence, "From how many of the metrics are present, 0 to 1"),
             Required("priority", &ScalingResponse::priority, "low, medium or high"),
             Required("factors", &ScalingResponse::factors, "What each metric alone asks for"),
             Required("reason", &ScalingResponse::reason, "Which threshold decided"),
             Required("model", &ScalingResponse::model, "scaling_predictor"),
             Required("status", &ScalingResponse::status, "success"),
             Required("timestamp", &ScalingResponse::timestamp, "When, Unix seconds"));
};

struct MlDependencies {
  Env& env;
  store::StreamStore& streams;
  std::function<state::HostState()> host;  ///< empty: health shows no figures of the machine
  ml::DriftSettings drift;
  std::size_t max_series_points = kMaxSeriesPoints;
};

/// Thread-safe; its dependencies outlive it.
class MlService {
 public:
  explicit MlService(MlDependencies dependencies);
  ~MlService();
  MlService(const MlService&) = delete;
  MlService& operator=(const MlService&) = delete;

  Result<MlIndex> Index(const Empty& request, const CallContext& call);
  Result<MlHealth> Health(const Empty& request, const CallContext& call);
  Result<SalienceResponse> Salience(const SalienceRequest& request, const CallContext& call);
  /// kPayloadTooLarge above `max_series_points`.
  Result<AnomalyResponse> DetectAnomaly(const AnomalyRequest& request, const CallContext& call);
  Result<ScalingResponse> PredictScaling(const ScalingRequest& request, const CallContext& call);
  /// Scores the task against the baseline of its (type, domain), then lets the baseline learn it, once per task id.
  Result<DriftResponse> DriftScore(const DriftRequest& request, const CallContext& call);
  Result<DriftWarmupResponse> DriftWarmup(const DriftWarmupRequest& request, const CallContext& call);

  /// Saves what the drift baselines have learnt since they were last saved. Called at shutdown.
  Result<void> Flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] OperationTable<MlService> MlOperations();

}  // namespace seedcore::service
