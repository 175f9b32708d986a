#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace seedcore::ml {

/// For tests: streams kept in memory, whose reads and writes can be made to fail.
class MemoryStreams final : public store::StreamStore {
 public:
  Result<json::value> Load(const std::string& kind, const std::string& key) override {
    const std::lock_guard lock(mutex_);
    if (fail_loads) return Fail(ErrorCode::kUnavailable, "closed");
    const auto state = states_.find({kind, key});
    return state == states_.end() ? json::value() : state->second;
  }

  Result<json::value> Update(const std::string& kind, const std::string& key,
                             const std::function<json::value(const json::value&)>& update) override {
    const std::lock_guard lock(mutex_);
    ++writes;
    if (fail_writes) return Fail(ErrorCode::kUnavailable, "disk full");
    json::value& state = states_[{kind, key}];
    state = update(state);
    return state;
  }

  Result<std::vector<std::pair<std::string, json::value>>> List(const std::string& kind, int limit,
                                                                const std::string& after) override {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, json::value>> found;
    for (const auto& [name, state] : states_) {
      if (std::cmp_equal(found.size(), limit)) break;
      if (name.first == kind && name.second > after) found.emplace_back(name.second, state);
    }
    return found;
  }

  bool fail_loads = false;
  bool fail_writes = false;
  int writes = 0;

 private:
  std::mutex mutex_;  // guards everything below
  std::map<std::pair<std::string, std::string>, json::value> states_;
};

}  // namespace seedcore::ml
