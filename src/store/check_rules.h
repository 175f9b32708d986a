#pragma once

#include <span>

/// What must hold between the rows of a store, for check.h.
namespace seedcore::store {

// What a rule about tasks begins with.
#define SEEDCORE_TASK "SELECT CAST(t.id AS TEXT) AS id FROM tasks t "

struct Rule {
  const char* sentence;
  /// SELECT of one column `id`, in text, for each row that breaks the rule; in both dialects, but for PlaceRules.
  const char* broken;
};

/// The graph: its nodes, its edges, and the embeddings of nodes.
[[nodiscard]] std::span<const Rule> GraphRules();
/// What goes on with tasks beyond their state: turns, tokens, steps, progress, limits and schedules.
[[nodiscard]] std::span<const Rule> DispatchRules();
/// PostgreSQL only: the tables by which claims, the reaper and retention find tasks.
[[nodiscard]] std::span<const Rule> PlaceRules();

}  // namespace seedcore::store
