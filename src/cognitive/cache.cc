#include "cognitive/cache.h"

namespace seedcore::cognitive {

std::chrono::seconds CacheLifetime(TaskType type) {
  switch (type) {
    case TaskType::kFailureAnalysis: return std::chrono::seconds{300};
    case TaskType::kMemorySynthesis: return std::chrono::seconds{1800};
    default: return std::chrono::seconds{600};
  }
}

std::shared_ptr<const ReasoningOutput> ResultCache::Find(const std::string& key) {
  const Instant now = env_.Now();
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    ++misses_;
    return nullptr;
  }
  if (found->second->expires <= now) {
    entries_.erase(found->second);
    by_key_.erase(found);
    ++misses_;
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  ++hits_;
  return found->second->output;
}

void ResultCache::Put(TaskType type, const std::string& key, std::shared_ptr<const ReasoningOutput> output) {
  if (capacity_ == 0) return;
  const Instant expires = env_.Now() + CacheLifetime(type);
  const std::lock_guard lock(mutex_);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    found->second->expires = expires;
    found->second->output = std::move(output);
    entries_.splice(entries_.begin(), entries_, found->second);
    return;
  }
  if (entries_.size() == capacity_) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, expires, std::move(output)});
  by_key_.emplace(key, entries_.begin());
}

ResultCache::Stats ResultCache::stats() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<std::int64_t>(entries_.size()), hits_, misses_};
}

}  // namespace seedcore::cognitive
