#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/env.h"
#include "cognitive/provider.h"

namespace seedcore::cognitive {

/// Answers by what they were computed from. Bounded: the longest unused goes first. Thread-safe.
class ResultCache {
 public:
  /// `capacity` 0: nothing is kept.
  ResultCache(std::size_t capacity, Env& env) : capacity_(capacity), env_(env) {}

  /// Null when there is none, or it is older than the time to live of its kind.
  [[nodiscard]] std::shared_ptr<const ReasoningOutput> Find(const std::string& key);
  void Put(TaskType type, const std::string& key, std::shared_ptr<const ReasoningOutput> output);

  struct Stats {
    std::int64_t entries = 0;
    std::int64_t hits = 0;
    std::int64_t misses = 0;
  };
  [[nodiscard]] Stats stats() const;

 private:
  struct Entry {
    std::string key;
    Instant expires;
    std::shared_ptr<const ReasoningOutput> output;
  };
  using Entries = std::list<Entry>;  // most recently used first

  const std::size_t capacity_;
  Env& env_;
  mutable std::mutex mutex_;  // guards everything below
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_key_;
  std::int64_t hits_ = 0;
  std::int64_t misses_ = 0;
};

/// 300 s for failures, 1800 s for synthesis, 600 s for the others (P§5.5).
[[nodiscard]] std::chrono::seconds CacheLifetime(TaskType type);

}  // namespace seedcore::cognitive
