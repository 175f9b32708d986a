#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "service/operation.h"
#include "store/store.h"

/// The queue API, `/api/v1/queues` and `/api/v1/limits`: what waits, what runs, and what holds it back.
namespace seedcore::service {

struct RateRead {
  int tasks = 1;
  double interval_s = 1.0;
  std::optional<int> burst;
  static constexpr auto kFields =
      Fields(Required("tasks", &RateRead::tasks, "Executions that may begin per interval, 1 to 1000000"),
             Optional("interval_s", &RateRead::interval_s, "Seconds, 0.001 to 86400"),
             Sparse("burst", &RateRead::burst, "How many may begin at once after a pause; default: as `tasks`"));
  [[nodiscard]] Result<void> Validate() const;
};

struct LimitRead {
  store::LimitScope scope = store::LimitScope::kType;
  std::string name;
  std::optional<int> max_running;
  std::optional<RateRead> rate;
  static constexpr auto kFields =
      Fields(Required("scope", &LimitRead::scope, "type: tasks of a type; key: tasks with a concurrency_key"),
             Required("name", &LimitRead::name, "The type or key; `*` with scope key: each key without one of its own"),
             Optional("max_running", &LimitRead::max_running, "How many may run at once, in all processes together"),
             Optional("rate", &LimitRead::rate, "How many may begin per time; not for `*`"));
};

struct LimitName {
  store::LimitScope scope = store::LimitScope::kType;
  std::string name;
  static constexpr auto kFields = Fields(Required("scope", &LimitName::scope, "type or key"),
                                         Required("name", &LimitName::name, "The type or key"));
};

struct LimitList {
  std::vector<LimitRead> items;
  static constexpr auto kFields = Fields(Required("items", &LimitList::items, "Types first, then keys, by name"));
};

struct LimitDeleted {
  bool deleted = false;
  static constexpr auto kFields = Fields(Required("deleted", &LimitDeleted::deleted, "Always true; 404 otherwise"));
};

struct QueueRead {
  std::string type;
  std::int64_t ready = 0;
  std::int64_t scheduled = 0;
  std::int64_t parked = 0;
  std::int64_t running = 0;
  bool paused = false;
  std::optional<std::string> pause_reason;
  std::optional<WallTime> paused_at;
  bool external = false;
  std::optional<LimitRead> limit;
  static constexpr auto kFields = Fields(
      Required("type", &QueueRead::type, "Task type; `*` stands for each type without an executor"),
      Required("ready", &QueueRead::ready, "Could be claimed now, were it not for a pause or the limit of the type"),
      Required("scheduled", &QueueRead::scheduled, "Wait for their run_after"),
      Required("parked", &QueueRead::parked, "Wait for others of their concurrency_key"),
      Required("running", &QueueRead::running, "Claimed and not ended"),
      Required("paused", &QueueRead::paused, "Nothing of it is claimed"),
      Optional("pause_reason", &QueueRead::pause_reason, "As given with the pause"),
      Optional("paused_at", &QueueRead::paused_at, "Since when"),
      Required("external", &QueueRead::external, "Left to workers outside"),
      Optional("limit", &QueueRead::limit, "The limit of the type"));
};

struct QueueList {
  std::vector<QueueRead> items;
  static constexpr auto kFields =
      Fields(Required("items", &QueueList::items,
                      "Types with unfinished tasks, a pause or a limit, or left to workers outside, by name"));
};

struct QueuePauseRequest {
  std::string type;
  std::string reason;
  static constexpr auto kFields =
      Fields(Required("type", &QueuePauseRequest::type, "Task type"),
             Optional("reason", &QueuePauseRequest::reason, "For whoever finds it paused; up to 1000 bytes"));
};

struct QueueName {
  std::string type;
  static constexpr auto kFields = Fields(Required("type", &QueueName::type, "Task type"));
};

/// Thread-safe; everything it knows is in the store.
class QueueService {
 public:
  explicit QueueService(store::QueueStore& queues) : queues_(queues) {}

  Result<QueueList> List(const Empty& request, const CallContext& call);
  Result<QueueRead> Pause(const QueuePauseRequest& request, const CallContext& call);
  /// Resuming a type that is not paused changes nothing.
  Result<QueueRead> Resume(const QueueName& request, const CallContext& call);
  /// Leaves a type (`*`: each without an executor) to workers outside, in every process. One that is left to them
  /// already stays so.
  Result<QueueRead> External(const QueueName& request, const CallContext& call);
  /// The reverse. A process that has the type in its settings adds it again when it starts.
  Result<QueueRead> Embedded(const QueueName& request, const CallContext& call);
  Result<LimitList> Limits(const Empty& request, const CallContext& call);
  Result<LimitRead> PutLimit(const LimitRead& request, const CallContext& call);
  Result<LimitDeleted> DeleteLimit(const LimitName& request, const CallContext& call);

 private:
  Result<QueueRead> Read(const std::string& type);

  store::QueueStore& queues_;
};

[[nodiscard]] OperationTable<QueueService> QueueOperations();

}  // namespace seedcore::service
