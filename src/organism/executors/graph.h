#pragma once

#include "graph/engine.h"
#include "organism/executor.h"

namespace seedcore::organism {

/// Registers the graph tasks: graph_embed, graph_rag_query, graph_fact_embed, graph_fact_query, graph_sync_nodes, and
/// those with _v2. `engine` and `env` outlive the registry. kConflict when a type is taken.
[[nodiscard]] Result<void> RegisterGraphExecutors(ExecutorRegistry& registry, const graph::Engine& engine, Env& env);

}  // namespace seedcore::organism
