#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ml/drift.h"
#include "store/store.h"

namespace seedcore::ml {

/// The key of a stream: "type|domain" in lower case, "unknown" for an empty type. kInvalidArgument above 200 bytes.
[[nodiscard]] Result<std::string> DriftStreamKey(std::string_view type, std::string_view domain);

/// Drift baselines of all streams, kept in memory and saved as StreamStore("drift", key): every `save_every`
/// observations, more often while they are few, and by Flush. A crash loses what was learned since, and of two
/// processes the baseline with more observations stays: processes that share a store set DriftSettings::shared, which
/// keeps nothing in memory. Thread-safe; the store outlives it.
class DriftTracker {
 public:
  DriftTracker(store::StreamStore& streams, DriftSettings settings);

  /// DriftBaseline::Observe on the baseline of `key`. Fails when the baseline cannot be loaded.
  [[nodiscard]] Result<DriftVerdict> Observe(const std::string& key, const std::string& task_id,
                                             const DriftObservation& observation);

  struct Warmth {
    bool warmed_up = false;
    std::int64_t observations = 0;
  };
  /// Learns `texts` while the text baseline of `key` is cold; a warm one stays as it is, so that repeating is harmless.
  [[nodiscard]] Result<Warmth> WarmUp(const std::string& key, const std::vector<std::string>& texts);

  /// Saves every baseline that has learned since it was saved. The first error, after trying them all.
  Result<void> Flush();

  /// Why the last save failed; empty when it did not.
  [[nodiscard]] std::string SaveError() const;
  [[nodiscard]] std::size_t StreamsInMemory() const;

 private:
  struct Stream {
    explicit Stream(std::string name) : key(std::move(name)) {}
    const std::string key;
    std::mutex mutex;  // guards everything below
    bool loaded = false;
    bool saving = false;
    DriftBaseline baseline;
    std::int64_t unsaved = 0;
  };
  using Streams = std::list<std::shared_ptr<Stream>>;

  /// `change` on the stored baseline of `key`, in one transaction.
  [[nodiscard]] Result<void> ChangeStored(const std::string& key, const std::function<void(DriftBaseline&)>& change);

  [[nodiscard]] std::shared_ptr<Stream> Find(const std::string& key);
  [[nodiscard]] Result<void> EnsureLoaded(Stream& stream);
  [[nodiscard]] bool SaveIsDue(const Stream& stream) const;
  Result<void> Save(Stream& stream);

  store::StreamStore& store_;
  const DriftSettings settings_;

  mutable std::mutex mutex_;  // guards everything below
  Streams recent_;            // most recently used first
  std::unordered_map<std::string, Streams::iterator> by_key_;
  std::string save_error_;
};

}  // namespace seedcore::ml
