#pragma once

#include <memory>
#include <string>

#include "base/call_context.h"
#include "base/env.h"
#include "base/metrics.h"
#include "cognitive/cache.h"
#include "cognitive/provider.h"
#include "cognitive/retrieval.h"
#include "settings/settings.h"
#include "store/store.h"

namespace seedcore::cognitive {

/// Everything between a request and its answer: retrieval, cache, provider, checks, deadline. Any thread.
class Engine {
 public:
  /// What the engine works with; all outlive it.
  struct Parts {
    store::FactStore& facts;
    store::IncidentStore& incidents;
    Provider& fast;  ///< provider of the fast profile
    Provider& deep;  ///< and of the deep one; may be the same
    Metrics& metrics;
    Env& env;
  };

  Engine(const Parts& parts, const settings::CognitiveSettings& settings);

  struct Answer {
    std::shared_ptr<const ReasoningOutput> output;  ///< the alternative of the type asked for
    ReasoningMetadata metadata;
  };

  /// Errors: kInvalidArgument with the path in the request; kDeadlineExceeded after the profile's time or the caller's
  /// deadline, whichever is first; kCancelled; what the store or the provider says; kInternal when an answer fails its
  /// checks.
  [[nodiscard]] Result<Answer> Reason(TaskType type, const ReasoningRequest& request, const CallContext& call);

  struct Part {
    std::string name;
    Result<void> state;
  };
  /// Really asks: the providers, and the store with one small read.
  [[nodiscard]] std::vector<Part> CheckHealth();

  [[nodiscard]] ResultCache::Stats cache_stats() const { return cache_.stats(); }
  [[nodiscard]] const settings::CognitiveSettings& settings() const { return settings_; }
  [[nodiscard]] const Provider& provider(Profile profile) const;

 private:
  [[nodiscard]] Result<Answer> ReasonWithin(TaskType type, const ReasoningRequest& request, const CallContext& call);

  Parts parts_;
  settings::CognitiveSettings settings_;
  Retriever retriever_;
  ResultCache cache_;
};

}  // namespace seedcore::cognitive
