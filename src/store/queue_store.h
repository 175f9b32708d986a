#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/result.h"

/// What an operator says about queues: which types are paused, how much of what may run at once or begin per time, and
/// what is left to workers outside. Kept in the store; pauses and limits are obeyed by every claim of every process.
namespace seedcore::store {

/// What a limit counts: the tasks of a type, or those that carry a concurrency key, whatever their type.
enum class LimitScope { kType, kKey };
constexpr std::array<std::pair<LimitScope, std::string_view>, 2> EnumNames(LimitScope) {
  return {{{LimitScope::kType, "type"}, {LimitScope::kKey, "key"}}};
}

/// A token bucket: executions begin at `tasks` per `interval` in the long run, and up to `burst` at once. Every
/// execution takes a token, a retry too.
struct RateLimit {
  int tasks = 1;                             ///< 1 to 1,000,000
  std::chrono::milliseconds interval{1000};  ///< 1 ms to 1 day
  int burst = 1;                             ///< 1 to 1,000,000
};

/// The name of a limit of scope kKey that holds for each key that has none of its own, for each by itself.
inline constexpr std::string_view kEveryKey = "*";

struct QueueLimit {
  LimitScope scope = LimitScope::kType;
  std::string name;                ///< a task type, or a concurrency key, or kEveryKey
  std::optional<int> max_running;  ///< 1 to 1,000,000; expired leases count until they are reaped
  std::optional<RateLimit> rate;   ///< not with kEveryKey
};

/// Tasks of a paused type are not claimed. Those that run go on.
struct QueuePause {
  std::string type;
  std::string reason;
  WallTime paused_at;
};

/// Left to workers outside (docs/workers.md): who has no executor of the type neither claims nor fails its tasks. The
/// store keeps the set for all processes; it forbids no claim, because whoever asks for the type by name gets its
/// tasks.
struct ExternalType {
  std::string type;  ///< or kEveryOtherType
  WallTime registered_at;
};

/// The name among the external types that stands for each type without an executor.
inline constexpr std::string_view kEveryOtherType = "*";

/// How many unfinished tasks of a type there are.
struct QueueCounts {
  std::string type;
  std::int64_t ready = 0;      ///< could be claimed now, were it not for a limit of the type or a pause
  std::int64_t scheduled = 0;  ///< wait for their run_after
  std::int64_t parked = 0;     ///< wait for others of their concurrency key
  std::int64_t running = 0;
};

/// Thread-safe; every method is one transaction, durable on return.
class QueueStore {
 public:
  virtual ~QueueStore() = default;

  /// Adds or replaces; a bucket whose rate is new starts full. kInvalidArgument names the field out of range.
  [[nodiscard]] virtual Result<void> PutLimit(const QueueLimit& limit) = 0;
  /// Returns whether there was one.
  [[nodiscard]] virtual Result<bool> DeleteLimit(LimitScope scope, const std::string& name) = 0;
  /// Types first, then keys, by name.
  [[nodiscard]] virtual Result<std::vector<QueueLimit>> Limits() = 0;

  /// A paused type takes the new reason.
  [[nodiscard]] virtual Result<QueuePause> Pause(const std::string& type, const std::string& reason) = 0;
  /// Returns whether it was paused.
  [[nodiscard]] virtual Result<bool> Resume(const std::string& type) = 0;
  /// By type.
  [[nodiscard]] virtual Result<std::vector<QueuePause>> Pauses() = 0;

  /// Those that are not there yet are added; writes nothing when all are there. kInvalidArgument: a name that is empty
  /// or too long; kResourceExhausted: there would be too many. Then none is added.
  [[nodiscard]] virtual Result<void> AddExternalTypes(std::span<const std::string> types) = 0;
  /// Returns whether it was one.
  [[nodiscard]] virtual Result<bool> RemoveExternalType(const std::string& type) = 0;
  /// By type.
  [[nodiscard]] virtual Result<std::vector<ExternalType>> ExternalTypes() = 0;

  /// Types with unfinished tasks that run or wait to run, by type; takes time in proportion to their number.
  [[nodiscard]] virtual Result<std::vector<QueueCounts>> Queues() = 0;
};

/// kInvalidArgument names the field.
[[nodiscard]] Result<void> CheckLimit(const QueueLimit& limit);
[[nodiscard]] Result<void> CheckPause(const std::string& type, const std::string& reason);
[[nodiscard]] Result<void> CheckExternalTypes(std::span<const std::string> types);
/// Those of `types` that are not among `known`, each once.
[[nodiscard]] std::vector<std::string> NewExternalTypes(std::span<const std::string> types,
                                                        std::span<const ExternalType> known);

}  // namespace seedcore::store
