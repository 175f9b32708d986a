#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/foundation.h"
#include "graph/engine.h"
#include "organism/executor.h"
#include "queue/handler.h"
#include "settings/settings.h"

namespace seedcore::app {

/// Executes graph tasks over the store, without services: what a graph dispatcher does with what it claims. The same
/// executors as an organism's. Thread-safe.
class GraphWorker {
 public:
  /// `foundation` outlives it. Errors: the weights of graph.weights.
  [[nodiscard]] static Result<std::unique_ptr<GraphWorker>> Make(const settings::GraphSettings& settings,
                                                                 Foundation& foundation);
  GraphWorker(const GraphWorker&) = delete;
  GraphWorker& operator=(const GraphWorker&) = delete;

  /// What to claim: every graph type, or those among `types`. kInvalidArgument: one of them is no graph type.
  [[nodiscard]] Result<std::vector<std::string>> Claimed(const std::vector<std::string>& types) const;
  /// This outlives the handler.
  [[nodiscard]] queue::TaskHandler Handler() const;

 private:
  GraphWorker() = default;

  std::unique_ptr<graph::Engine> engine_;
  organism::ExecutorRegistry executors_;
};

}  // namespace seedcore::app
