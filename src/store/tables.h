#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

/// The tables of a store as rows, below the interfaces of store.h: for what handles a whole store, whatever is in it
/// (copy.h, check.h). Both stores show the same tables with the same columns and the same values.
namespace seedcore::store {

/// A value in the form that both stores share, which is SQLite's: NULL, integers (also booleans, and times as Unix
/// microseconds), floating point, and text (also UUIDs, JSON and names of states; a list of texts is a JSON array).
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;
using Row = std::vector<Value>;

struct Table {
  std::string name;
  std::vector<std::string> columns;     ///< by name
  std::vector<std::string> key;         ///< the primary key, in its order
  std::vector<std::string> references;  ///< tables whose rows must be there before the rows of this one
};

/// The tables with data of their own, of every store, by name. Others in the same database are somebody else's.
inline constexpr auto kStoreTables = std::to_array<std::string_view>({"agent_collab_agent",
                                                                      "agent_member_of_organ",
                                                                      "agent_owns_memory_cell",
                                                                      "agent_registry",
                                                                      "agent_uses_model",
                                                                      "artifact",
                                                                      "capability",
                                                                      "cluster_metadata",
                                                                      "energy_ledger",
                                                                      "external_type",
                                                                      "facts",
                                                                      "flashbulb_incidents",
                                                                      "graph_embeddings",
                                                                      "graph_node_map",
                                                                      "memory_cell",
                                                                      "model",
                                                                      "organ_governed_by_policy",
                                                                      "organ_provides_capability",
                                                                      "organ_provides_skill",
                                                                      "organ_registry",
                                                                      "organ_uses_service",
                                                                      "policy",
                                                                      "queue_clock",
                                                                      "queue_flow",
                                                                      "queue_limit",
                                                                      "queue_pause",
                                                                      "registry_instance",
                                                                      "routing_rule",
                                                                      "rule_version",
                                                                      "schedule",
                                                                      "service",
                                                                      "skill",
                                                                      "stream_state",
                                                                      "task_depends_on_task",
                                                                      "task_event",
                                                                      "task_executed_by_organ",
                                                                      "task_owned_by_agent",
                                                                      "task_payload",
                                                                      "task_produces_artifact",
                                                                      "task_produces_fact",
                                                                      "task_reads_fact",
                                                                      "task_reads_memory",
                                                                      "task_result",
                                                                      "task_step",
                                                                      "task_uses_capability",
                                                                      "task_writes_memory",
                                                                      "tasks"});
[[nodiscard]] inline bool IsStoreTable(std::string_view name) { return std::ranges::binary_search(kStoreTables, name); }

enum class TablesUse {
  kInspect,   ///< reads one snapshot; the store may be in use
  kCopyFrom,  ///< reads one snapshot that nobody can change meanwhile; kUnavailable while a process has it open
  /// Writes; creates and migrates the tables; kUnavailable while a process has it open. A store that was not there
  /// before is gone again with the object, unless something has been committed.
  kCopyTo,
};

/// One connection to a store, used by one thread at a time. Errors are those of store.h.
class Tables {
 public:
  virtual ~Tables() = default;

  /// Path, or DSN without user and password.
  [[nodiscard]] virtual const std::string& place() const = 0;
  [[nodiscard]] virtual Result<int> SchemaVersion() = 0;
  /// The one that this program writes.
  [[nodiscard]] virtual int NewestVersion() const = 0;
  /// Those of kStoreTables that are there, by name. What a store derives from other tables (counts, words of a text),
  /// and what says something about the place itself (versions, probes), is not among them.
  [[nodiscard]] virtual Result<std::vector<Table>> Describe() = 0;
  /// Tables that are not SeedCore's, by name: an application's, in the same database. They are neither read nor
  /// changed.
  [[nodiscard]] virtual Result<std::vector<std::string>> Foreign() = 0;

  /// Until Commit or Rollback. A reader has its transaction from the beginning; a writer may have one, in which the
  /// tables were made, and goes on with it.
  [[nodiscard]] virtual Result<void> Begin() = 0;
  [[nodiscard]] virtual Result<void> Commit() = 0;
  virtual void Rollback() = 0;

  /// Up to `limit` rows whose key comes after `after` (empty: from the first one), by key, bytes compared. Values in
  /// the order of `table.columns`. `table` is one of Describe's.
  [[nodiscard]] virtual Result<std::vector<Row>> Read(const Table& table, const Row& after, int limit) = 0;
  /// How many rows Read would show in all.
  [[nodiscard]] virtual Result<std::int64_t> Count(const Table& table) = 0;
  [[nodiscard]] virtual Result<void> Insert(const Table& table, std::span<const Row> rows) = 0;
  /// One statement, without parameters; for what both dialects understand.
  [[nodiscard]] virtual Result<std::vector<Row>> Query(const std::string& sql) = 0;
  [[nodiscard]] virtual Result<bool> HasTable(const std::string& name) = 0;

  /// The last number that an event was given, also when the event has been deleted since.
  [[nodiscard]] virtual Result<std::int64_t> LastEvent() = 0;
  /// After rows were inserted with numbers of their own: derived tables are filled, and the next rows get the numbers
  /// that follow.
  [[nodiscard]] virtual Result<void> Settle(std::int64_t last_event) = 0;

  /// What the database itself finds wrong, one line each; empty when it is sound. Reads everything.
  [[nodiscard]] virtual Result<std::vector<std::string>> Integrity() = 0;
};

/// In the destination of a copy from its beginning until it is complete and verified. A store that has it is not
/// opened.
inline constexpr char kCopyTable[] = "store_copy";

[[nodiscard]] inline Error UnfinishedCopy(const std::string& place) {
  return {
      ErrorCode::kUnavailable,
      "a copy into this store has not been finished; go on with `seedcore store copy SRC DST --resume`, or delete it",
      place};
}

}  // namespace seedcore::store
