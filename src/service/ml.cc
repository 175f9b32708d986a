#include "service/ml.h"

#include <algorithm>
#include <atomic>

#include <fmt/format.h>

#include "ml/drift_tracker.h"
#include "service/edge.h"
#include "service/ml_anomaly.h"
#include "service/system.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxSampleTexts = 1000;
constexpr std::size_t kMaxSalienceItems = 10'000;

}  // namespace

Result<void> DriftRequest::Validate() const {
  if (task.empty()) return Fail(ErrorCode::kInvalidArgument, "must not be empty", "task");
  const json::value* id = task.if_contains("id");
  if (id != nullptr && !id->is_null() && !id->is_string()) {
    return Fail(ErrorCode::kInvalidArgument, "expected a string, got " + DescribeJson(*id), "task.id");
  }
  return {};
}

Result<void> DriftWarmupRequest::Validate() const {
  if (sample_texts.size() > kMaxSampleTexts) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("at most {} texts", kMaxSampleTexts), "sample_texts");
  }
  return {};
}

Result<void> SalienceContext::Validate() const {
  if (!priority || (*priority >= 0.0 && *priority <= 10.0)) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("must be within 0 and 10, got {}", *priority), "priority");
}

Result<void> SalienceRequest::Validate() const {
  if (!text && features.empty()) return Fail(ErrorCode::kInvalidArgument, "give features or a text", "features");
  if (features.size() > kMaxSalienceItems) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("at most {} elements", kMaxSalienceItems), "features");
  }
  return {};
}

Result<void> ScalingRequest::Validate() const {
  if (metrics.cpu_usage || metrics.memory_usage || metrics.response_time) return {};
  return Fail(ErrorCode::kInvalidArgument, "give at least one of cpu_usage, memory_usage and response_time", "metrics");
}

struct MlService::Impl {
  explicit Impl(MlDependencies parts)
      : dependencies(std::move(parts)),
        tracker(dependencies.streams, dependencies.drift),
        checksum(ml::DriftModelChecksum(dependencies.drift)) {}

  DriftPerformance Performance() const {
    DriftPerformance performance;
    performance.total_requests = scored.load();
    performance.total_time_ms = static_cast<double>(nanoseconds.load()) / 1e6;
    if (performance.total_requests > 0) {
      performance.average_time_ms = performance.total_time_ms / static_cast<double>(performance.total_requests);
    }
    performance.model_name = "hashing-" + std::to_string(ml::kTextFeatures);
    return performance;
  }

  MlDependencies dependencies;
  ml::DriftTracker tracker;
  const std::string checksum;
  std::atomic<std::int64_t> scored{0};
  std::atomic<std::int64_t> nanoseconds{0};
};

MlService::MlService(MlDependencies dependencies) : impl_(std::make_unique<Impl>(std::move(dependencies))) {}
MlService::~MlService() = default;

Result<MlIndex> MlService::Index(const Empty&, const CallContext&) {
  MlIndex index;
  index.version = Version();
  index.endpoints = {{"health", "/ml/health"},
                     {"salience_scoring", "/ml/score/salience"},
                     {"anomaly_detection", "/ml/detect/anomaly"},
                     {"scaling_prediction", "/ml/predict/scaling"},
                     {"drift_scoring", "/ml/drift/score"},
                     {"drift_warmup", "/ml/drift/warmup"}};
  return index;
}

Result<MlHealth> MlService::Health(const Empty&, const CallContext&) {
  MlHealth health;
  health.timestamp = UnixSeconds(impl_->dependencies.env);
  health.version = Version();
  if (impl_->dependencies.host) health.system = impl_->dependencies.host();
  health.models = {{"salience_scorer", "available"},
                   {"anomaly_detector", "available"},
                   {"scaling_predictor", "available"},
                   {"drift_detector", "available"}};
  if (std::string error = impl_->tracker.SaveError(); !error.empty()) {
    health.status = "degraded";
    health.models["drift_detector"] = "available, but what it learns is not saved";
    health.error = std::move(error);
  }
  return health;
}

Result<SalienceResponse> MlService::Salience(const SalienceRequest& request, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  SalienceResponse response;
  response.timestamp = UnixSeconds(impl_->dependencies.env);
  if (request.text) {
    const double priority = request.context ? request.context->priority.value_or(5.0) : 5.0;
    response.features = ml::FeaturesFromText(*request.text, priority);
    response.score = ml::ScoreSalience(*response.features);
    return response;
  }
  auto& scores = response.scores.emplace();
  scores.reserve(request.features.size());
  for (const ml::SalienceFeatures& features : request.features) scores.push_back(ml::ScoreSalience(features));
  return response;
}

Result<AnomalyResponse> MlService::DetectAnomaly(const AnomalyRequest& request, const CallContext& call) {
  Env& env = impl_->dependencies.env;
  SEEDCORE_RETURN_IF_ERROR(call.Check(env));
  const Instant start = env.Now();
  SEEDCORE_ASSIGN_OR_RETURN(
      AnomalyResponse response,
      DetectInSeries(request, [&] { return call.Check(env); }, impl_->dependencies.max_series_points));
  response.processing_time_ms = MillisecondsSince(start, env);
  response.timestamp = UnixSeconds(env);
  return response;
}

Result<ScalingResponse> MlService::PredictScaling(const ScalingRequest& request, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  ml::ScalingAdvice advice = ml::AdviseScaling(request.metrics);
  ScalingResponse response;
  response.recommendation = ml::ToString(advice.action);
  response.scale = advice.scale;
  response.confidence = advice.confidence;
  response.priority = std::move(advice.priority);
  response.factors = std::move(advice.factors);
  response.reason = std::move(advice.reason);
  response.timestamp = UnixSeconds(impl_->dependencies.env);
  return response;
}

Result<DriftResponse> MlService::DriftScore(const DriftRequest& request, const CallContext& call) {
  Env& env = impl_->dependencies.env;
  SEEDCORE_RETURN_IF_ERROR(call.Check(env));
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  const Instant start = env.Now();
  auto observation = ml::ObserveTask(request.task, request.text);
  if (!observation) {
    return Fail(observation.error().code, observation.error().message, "task." + observation.error().path);
  }
  auto key = ml::DriftStreamKey(TextOf(request.task, "type"), TextOf(request.task, "domain"));
  if (!key) return Fail(key.error().code, key.error().message, "task." + key.error().path);
  SEEDCORE_ASSIGN_OR_RETURN(const ml::DriftVerdict verdict,
                            impl_->tracker.Observe(*key, TextOf(request.task, "id"), *observation));
  const auto elapsed = std::chrono::duration_cast<std::chrono::nanoseconds>(env.Now() - start);
  impl_->scored.fetch_add(1);
  impl_->nanoseconds.fetch_add(elapsed.count());

  DriftResponse response;
  response.drift_score = verdict.score;
  response.log_likelihood = verdict.log_likelihood;
  response.confidence = verdict.confidence;
  response.processing_time_ms = std::chrono::duration<double, std::milli>(elapsed).count();
  response.model_version = "drift-detector-" + impl_->checksum;
  response.model_checksum = impl_->checksum;
  response.drift_mode = "hashing";
  if (!verdict.warmed_up) {
    response.accuracy_warning =
        fmt::format("the baseline of this stream knows {} of the {} tasks it needs; the score says little yet",
                    verdict.observations, impl_->dependencies.drift.warm_up);
  }
  response.warmed_up = verdict.warmed_up;
  response.observations = verdict.observations;
  response.stream = std::move(*key);
  response.timestamp = UnixSeconds(env);
  return response;
}

Result<DriftWarmupResponse> MlService::DriftWarmup(const DriftWarmupRequest& request, const CallContext& call) {
  Env& env = impl_->dependencies.env;
  SEEDCORE_RETURN_IF_ERROR(call.Check(env));
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  const Instant start = env.Now();
  SEEDCORE_ASSIGN_OR_RETURN(const std::string key, ml::DriftStreamKey(request.type, request.domain));
  SEEDCORE_ASSIGN_OR_RETURN(const auto warmth, impl_->tracker.WarmUp(key, request.sample_texts));
  DriftWarmupResponse response;
  response.warmed_up = warmth.warmed_up;
  response.observations = warmth.observations;
  response.performance_stats = impl_->Performance();
  response.warmup_time_ms = MillisecondsSince(start, env);
  response.timestamp = UnixSeconds(env);
  return response;
}

Result<void> MlService::Flush() { return impl_->tracker.Flush(); }

OperationTable<MlService> MlOperations() {
  return {
      "/ml",
      "ML: drift, salience, anomalies in series, and scaling",
      {
          Get<&MlService::Index>("/", "What this service offers").Inline(),
          Get<&MlService::Health>("/health", "Which scorers are there, and how the machine is doing").Inline().Open(),
          Post<&MlService::Salience>("/score/salience", "How much something deserves attention"),
          Post<&MlService::DetectAnomaly>("/detect/anomaly", "Every anomalous point of a series"),
          Post<&MlService::PredictScaling>("/predict/scaling", "Whether there is too much or too little capacity"),
          Post<&MlService::DriftScore>("/drift/score", "How unusual a task is for its stream"),
          Post<&MlService::DriftWarmup>("/drift/warmup", "Teaches a cold stream its usual texts"),
      },
      ""};
}

}  // namespace seedcore::service
