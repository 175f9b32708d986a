#include "ml/drift_tracker.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/strings.h"

namespace seedcore::ml {
namespace {

constexpr std::string_view kKind = "drift";
constexpr std::size_t kLongestKey = 200;

/// Observations in a stored baseline; 0 for one that cannot be read, which may be replaced.
std::int64_t StoredObservations(const json::value& stored, const DriftSettings& settings) {
  const auto baseline = DriftBaseline::FromJson(stored, settings);
  return baseline ? baseline->text_observations() + baseline->runtime_observations() : 0;
}

}  // namespace

Result<std::string> DriftStreamKey(std::string_view type, std::string_view domain) {
  std::string key = ToLower(Trim(type));
  if (key.empty()) key = "unknown";
  key += '|';
  key += ToLower(Trim(domain));
  if (key.size() > kLongestKey) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("type and domain are longer than {} bytes", kLongestKey),
                "type");
  }
  return key;
}

DriftTracker::DriftTracker(store::StreamStore& streams, DriftSettings settings)
    : store_(streams), settings_(settings) {}

std::shared_ptr<DriftTracker::Stream> DriftTracker::Find(const std::string& key) {
  std::shared_ptr<Stream> dropped;
  std::shared_ptr<Stream> stream;
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = by_key_.find(key); known != by_key_.end()) {
      recent_.splice(recent_.begin(), recent_, known->second);
      return recent_.front();
    }
    stream = std::make_shared<Stream>(key);
    recent_.push_front(stream);
    by_key_[key] = recent_.begin();
    if (by_key_.size() > static_cast<std::size_t>(std::max(settings_.max_streams, 1))) {
      dropped = std::move(recent_.back());
      recent_.pop_back();
      by_key_.erase(dropped->key);
    }
  }
  // Saving waits for the disk, so it is done without the lock. Who asks for that stream in this moment reads what was
  // saved before, which is at most save_every observations behind.
  if (dropped) (void)Save(*dropped);
  return stream;
}

Result<void> DriftTracker::EnsureLoaded(Stream& stream) {
  if (stream.loaded) return {};
  SEEDCORE_ASSIGN_OR_RETURN(const json::value stored, store_.Load(std::string(kKind), stream.key));
  auto baseline = DriftBaseline::FromJson(stored, settings_);
  if (!baseline) {
    log::Warning("a drift baseline cannot be read and starts anew",
                 {{"stream", stream.key}, {"error", baseline.error().message}});
    baseline = DriftBaseline(settings_);
  }
  stream.baseline = std::move(*baseline);
  stream.loaded = true;
  return {};
}

Result<void> DriftTracker::ChangeStored(const std::string& key, const std::function<void(DriftBaseline&)>& change) {
  const auto updated = store_.Update(std::string(kKind), key, [&](const json::value& stored) {
    // A damaged baseline starts anew, as in EnsureLoaded.
    DriftBaseline baseline = DriftBaseline::FromJson(stored, settings_).value_or(DriftBaseline(settings_));
    change(baseline);
    return baseline.ToJson();
  });
  const std::lock_guard lock(mutex_);
  save_error_ = updated ? std::string() : ToString(updated.error());
  if (!updated) return std::unexpected(updated.error());
  return {};
}

bool DriftTracker::SaveIsDue(const Stream& stream) const {
  const std::int64_t known = stream.baseline.text_observations() + stream.baseline.runtime_observations();
  const std::int64_t interval = std::clamp<std::int64_t>(known / 8, 1, std::max(settings_.save_every, 1));
  return stream.unsaved >= interval && !stream.saving;
}

Result<void> DriftTracker::Save(Stream& stream) {
  json::value state;
  std::int64_t observations = 0;
  std::int64_t saved = 0;
  {
    const std::lock_guard lock(stream.mutex);
    if (!stream.loaded || stream.unsaved == 0 || stream.saving) return {};
    stream.saving = true;
    state = stream.baseline.ToJson();
    observations = stream.baseline.text_observations() + stream.baseline.runtime_observations();
    saved = stream.unsaved;
  }
  const auto keep_the_richer = [&](const json::value& stored) {
    return StoredObservations(stored, settings_) > observations ? stored : state;
  };
  const auto result = store_.Update(std::string(kKind), stream.key, keep_the_richer);
  {
    const std::lock_guard lock(stream.mutex);
    stream.saving = false;
    if (result) stream.unsaved -= saved;
  }
  const std::lock_guard lock(mutex_);
  save_error_ = result ? std::string() : ToString(result.error());
  if (!result) return std::unexpected(result.error());
  return {};
}

Result<DriftVerdict> DriftTracker::Observe(const std::string& key, const std::string& task_id,
                                           const DriftObservation& observation) {
  if (settings_.shared) {
    DriftVerdict shared_verdict;
    SEEDCORE_RETURN_IF_ERROR(
        ChangeStored(key, [&](DriftBaseline& baseline) { shared_verdict = baseline.Observe(task_id, observation); }));
    return shared_verdict;
  }
  const std::shared_ptr<Stream> stream = Find(key);
  DriftVerdict verdict;
  bool save = false;
  {
    const std::lock_guard lock(stream->mutex);
    SEEDCORE_RETURN_IF_ERROR(EnsureLoaded(*stream));
    const std::int64_t before = stream->baseline.text_observations() + stream->baseline.runtime_observations();
    verdict = stream->baseline.Observe(task_id, observation);
    const std::int64_t after = stream->baseline.text_observations() + stream->baseline.runtime_observations();
    if (after > before) ++stream->unsaved;
    save = SaveIsDue(*stream);
  }
  // The score stands whether or not it could be saved; SaveError tells, and the next observation tries again.
  if (save) (void)Save(*stream);
  return verdict;
}

Result<DriftTracker::Warmth> DriftTracker::WarmUp(const std::string& key, const std::vector<std::string>& texts) {
  Warmth warmth;
  std::int64_t learned = 0;
  const auto warm_up = [&](DriftBaseline& baseline) {
    learned = 0;
    if (!baseline.TextWarm()) {
      for (const std::string& text : texts) {
        baseline.Learn({.text = FeaturizeText(text), .runtime = std::nullopt});
        ++learned;
      }
    }
    warmth = {baseline.TextWarm(), baseline.text_observations()};
  };
  if (settings_.shared) {
    SEEDCORE_RETURN_IF_ERROR(ChangeStored(key, warm_up));
    return warmth;
  }
  const std::shared_ptr<Stream> stream = Find(key);
  {
    const std::lock_guard lock(stream->mutex);
    SEEDCORE_RETURN_IF_ERROR(EnsureLoaded(*stream));
    warm_up(stream->baseline);
    stream->unsaved += learned;
  }
  SEEDCORE_RETURN_IF_ERROR(Save(*stream));
  return warmth;
}

Result<void> DriftTracker::Flush() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    streams.assign(recent_.begin(), recent_.end());
  }
  Result<void> first_error;
  for (const auto& stream : streams) {
    auto saved = Save(*stream);
    if (!saved && first_error) first_error = std::move(saved);
  }
  return first_error;
}

std::string DriftTracker::SaveError() const {
  const std::lock_guard lock(mutex_);
  return save_error_;
}

std::size_t DriftTracker::StreamsInMemory() const {
  const std::lock_guard lock(mutex_);
  return by_key_.size();
}

}  // namespace seedcore::ml
