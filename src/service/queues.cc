#include "service/queues.h"

#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::service {
namespace {

constexpr double kShortestInterval = 0.001;
constexpr double kLongestInterval = 86'400.0;

/// Types are stored as tasks have them.
std::string TypeName(const std::string& given) { return ToLower(Trim(given)); }

std::string StoredName(store::LimitScope scope, const std::string& given) {
  return scope == store::LimitScope::kType ? TypeName(given) : given;
}

LimitRead ToLimitRead(store::QueueLimit limit) {
  LimitRead read{.scope = limit.scope, .name = std::move(limit.name), .max_running = limit.max_running, .rate = {}};
  if (limit.rate) {
    read.rate = RateRead{.tasks = limit.rate->tasks,
                         .interval_s = static_cast<double>(limit.rate->interval.count()) / 1000.0,
                         .burst = limit.rate->burst};
  }
  return read;
}

}  // namespace

Result<void> RateRead::Validate() const {
  if (interval_s >= kShortestInterval && interval_s <= kLongestInterval) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("expected {} to {} seconds, got {}", kShortestInterval, kLongestInterval, interval_s),
              "interval_s");
}

Result<QueueList> QueueService::List(const Empty&, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto counts, queues_.Queues());
  SEEDCORE_ASSIGN_OR_RETURN(auto pauses, queues_.Pauses());
  SEEDCORE_ASSIGN_OR_RETURN(auto limits, queues_.Limits());
  SEEDCORE_ASSIGN_OR_RETURN(const auto external, queues_.ExternalTypes());
  std::map<std::string, QueueRead> queues;
  for (const store::QueueCounts& count : counts) {
    QueueRead& queue = queues[count.type];
    queue.ready = count.ready;
    queue.scheduled = count.scheduled;
    queue.parked = count.parked;
    queue.running = count.running;
  }
  for (store::QueuePause& pause : pauses) {
    QueueRead& queue = queues[pause.type];
    queue.paused = true;
    if (!pause.reason.empty()) queue.pause_reason = std::move(pause.reason);
    queue.paused_at = pause.paused_at;
  }
  for (store::QueueLimit& limit : limits) {
    if (limit.scope == store::LimitScope::kType) queues[limit.name].limit = ToLimitRead(limit);
  }
  for (const store::ExternalType& one : external) queues[one.type].external = true;
  QueueList list;
  list.items.reserve(queues.size());
  for (auto& [type, queue] : queues) {
    queue.type = type;
    list.items.push_back(std::move(queue));
  }
  return list;
}

Result<QueueRead> QueueService::Read(const std::string& type) {
  SEEDCORE_ASSIGN_OR_RETURN(QueueList list, List({}, {}));
  for (QueueRead& queue : list.items) {
    if (queue.type == type) return std::move(queue);
  }
  QueueRead idle;
  idle.type = type;
  return idle;
}

Result<QueueRead> QueueService::Pause(const QueuePauseRequest& request, const CallContext&) {
  const std::string type = TypeName(request.type);
  SEEDCORE_RETURN_IF_ERROR(queues_.Pause(type, request.reason));
  return Read(type);
}

Result<QueueRead> QueueService::Resume(const QueueName& request, const CallContext&) {
  const std::string type = TypeName(request.type);
  SEEDCORE_RETURN_IF_ERROR(queues_.Resume(type));
  return Read(type);
}

Result<QueueRead> QueueService::External(const QueueName& request, const CallContext&) {
  const std::string type = TypeName(request.type);
  SEEDCORE_RETURN_IF_ERROR(queues_.AddExternalTypes({&type, 1}));
  return Read(type);
}

Result<QueueRead> QueueService::Embedded(const QueueName& request, const CallContext&) {
  const std::string type = TypeName(request.type);
  SEEDCORE_RETURN_IF_ERROR(queues_.RemoveExternalType(type));
  return Read(type);
}

Result<LimitList> QueueService::Limits(const Empty&, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto limits, queues_.Limits());
  LimitList list;
  list.items.reserve(limits.size());
  for (store::QueueLimit& limit : limits) list.items.push_back(ToLimitRead(std::move(limit)));
  return list;
}

Result<LimitRead> QueueService::PutLimit(const LimitRead& request, const CallContext&) {
  store::QueueLimit limit{.scope = request.scope,
                          .name = StoredName(request.scope, request.name),
                          .max_running = request.max_running,
                          .rate = std::nullopt};
  if (request.rate) {
    limit.rate =
        store::RateLimit{.tasks = request.rate->tasks,
                         .interval = std::chrono::milliseconds(std::llround(request.rate->interval_s * 1000.0)),
                         .burst = request.rate->burst.value_or(request.rate->tasks)};
  }
  SEEDCORE_RETURN_IF_ERROR(queues_.PutLimit(limit));
  return ToLimitRead(std::move(limit));
}

Result<LimitDeleted> QueueService::DeleteLimit(const LimitName& request, const CallContext&) {
  const std::string name = StoredName(request.scope, request.name);
  SEEDCORE_ASSIGN_OR_RETURN(const bool deleted, queues_.DeleteLimit(request.scope, name));
  if (deleted) return LimitDeleted{true};
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no limit for the {} '{}'", EnumToString(request.scope), name));
}

OperationTable<QueueService> QueueOperations() {
  return {"/api/v1",
          "Queues: what waits and runs by type, pauses and limits, types left to workers outside",
          {
              Get<&QueueService::List>("/queues", "Types with unfinished tasks, their counts, pauses and limits"),
              Post<&QueueService::Pause>("/queues/{type}/pause", "Stops claims of a type in every process"),
              Post<&QueueService::Resume>("/queues/{type}/resume", "Lets a type be claimed again"),
              Post<&QueueService::External>("/queues/{type}/external",
                                            "Leaves a type to workers outside, in every process"),
              Post<&QueueService::Embedded>("/queues/{type}/embedded", "Leaves a type to workers outside no more"),
              Get<&QueueService::Limits>("/limits", "Every limit, of types and of keys"),
              Put<&QueueService::PutLimit>("/limits/{scope}/{name}", "Adds or replaces a limit"),
              Delete<&QueueService::DeleteLimit>("/limits/{scope}/{name}", "Lifts a limit"),
          },
          ""};
}

}  // namespace seedcore::service
