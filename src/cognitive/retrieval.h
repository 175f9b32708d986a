#pragma once

#include "base/call_context.h"
#include "base/env.h"
#include "cognitive/knowledge.h"
#include "cognitive/request.h"
#include "store/store.h"

namespace seedcore::cognitive {

/// Finds what is known about a request: facts the caller brought, facts and incidents of the store. Reads only. Any
/// thread.
class Retriever {
 public:
  /// `limit`: facts for the fast profile, twice as many for the deep one; 0 looks up nothing.
  Retriever(store::FactStore& facts, store::IncidentStore& incidents, Env& env, int limit)
      : facts_(facts), incidents_(incidents), env_(env), limit_(limit) {}

  /// At most 8 fact searches and 1 incident search. Errors are the store's, the call's, and kInvalidArgument for a
  /// `knowledge_context` that can't be read.
  [[nodiscard]] Result<Knowledge> Retrieve(TaskType type, const ReasoningRequest& request,
                                           const CallContext& call) const;

 private:
  [[nodiscard]] Result<std::vector<KnowledgeFact>> SearchFacts(const std::string& question, std::size_t limit,
                                                               const CallContext& call) const;
  [[nodiscard]] Result<std::vector<RelatedIncident>> SearchIncidents(const std::string& question) const;

  store::FactStore& facts_;
  store::IncidentStore& incidents_;
  Env& env_;
  int limit_;
};

}  // namespace seedcore::cognitive
