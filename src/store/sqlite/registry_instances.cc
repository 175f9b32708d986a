#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/sqlite/registry.h"
#include "store/sqlite/task_row.h"

namespace seedcore::store::sqlite {
namespace {

constexpr std::chrono::seconds kHeartbeatFresh{15};
constexpr std::chrono::hours kKeepDead{7 * 24};
constexpr int kMostDead = 2000;
constexpr int kMostForgotten = 1000;  // at a time

constexpr char kSelectEpoch[] = "SELECT current_epoch FROM cluster_metadata WHERE id = 1";
constexpr char kSetEpoch[] =
    "INSERT INTO cluster_metadata (id, current_epoch, updated_at) VALUES (1, ?1, ?2) "
    "ON CONFLICT (id) DO UPDATE SET current_epoch = excluded.current_epoch, updated_at = excluded.updated_at";
constexpr char kRegister[] =
    "INSERT INTO registry_instance (instance_id, logical_id, cluster_epoch, status, actor_name, serve_route, node_id, "
    "ip_address, pid, started_at, last_heartbeat, service, address) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12) "
    "ON CONFLICT (instance_id) DO UPDATE SET last_heartbeat = excluded.last_heartbeat";
// ?1 id, ?2 status, ?3 when it stopped, or NULL
constexpr char kSetStatus[] =
    "UPDATE registry_instance SET status = ?2, stopped_at = coalesce(?3, stopped_at) WHERE instance_id = ?1";
constexpr char kBeat[] = "UPDATE registry_instance SET last_heartbeat = ?2 WHERE instance_id = ?1";
constexpr char kActive[] =
    "SELECT instance_id, logical_id, cluster_epoch, status, actor_name, serve_route, node_id, ip_address, pid, "
    "started_at, stopped_at, last_heartbeat, service, address FROM registry_instance "
    "WHERE logical_id = ?1 AND status = 'alive' "
    "AND cluster_epoch = (SELECT current_epoch FROM cluster_metadata WHERE id = 1) AND last_heartbeat > ?2 "
    "ORDER BY last_heartbeat DESC, started_at, instance_id";
constexpr char kListeners[] =
    "SELECT instance_id, logical_id, cluster_epoch, status, actor_name, serve_route, node_id, ip_address, pid, "
    "started_at, stopped_at, last_heartbeat, service, address FROM registry_instance "
    "WHERE status = 'alive' AND address <> '' AND last_heartbeat > ?1 "
    "ORDER BY service, started_at, instance_id";
constexpr char kExpire[] =
    "UPDATE registry_instance SET status = 'dead', stopped_at = ?2 WHERE status <> 'dead' AND (last_heartbeat < ?1 "
    "OR cluster_epoch IS NOT (SELECT current_epoch FROM cluster_metadata WHERE id = 1))";
// Those long dead, of whatever epoch. ?1 the oldest heartbeat to keep, ?2 at most
constexpr char kForget[] =
    "DELETE FROM registry_instance WHERE instance_id IN (SELECT instance_id FROM registry_instance WHERE status = "
    "'dead' AND last_heartbeat < ?1 ORDER BY last_heartbeat LIMIT ?2)";
// What comes and goes all the time, as a process that dies at its start. ?1 how many are kept, ?2 at most
constexpr char kForgetMost[] =
    "DELETE FROM registry_instance WHERE instance_id IN (SELECT instance_id FROM registry_instance WHERE status = "
    "'dead' ORDER BY last_heartbeat DESC, instance_id DESC LIMIT ?2 OFFSET ?1)";

Result<std::string> ReadEpoch(Database& database) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kSelectEpoch));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  return found ? std::string(row.Text(0)) : std::string();
}

Result<std::string> EnsureEpoch(WriteContext& context) {
  SEEDCORE_ASSIGN_OR_RETURN(std::string epoch, ReadEpoch(context.db));
  if (!epoch.empty()) return epoch;
  epoch = context.env.NewId();
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kSetEpoch, epoch, context.now));
  return epoch;
}

Result<void> OneChanged(Result<int> changed, const std::string& instance_id) {
  if (!changed) return std::unexpected(std::move(changed.error()));
  if (*changed == 1) return {};
  return Fail(ErrorCode::kNotFound, fmt::format("there is no instance {}", instance_id));
}

Result<Instance> ReadInstance(const Statement& row) {
  const auto status = EnumFromString<InstanceStatus>(row.Text(3));
  if (!status) return Fail(ErrorCode::kCorrupt, "a stored instance is damaged");
  return Instance{.instance_id = std::string(row.Text(0)),
                  .logical_id = std::string(row.Text(1)),
                  .cluster_epoch = std::string(row.Text(2)),
                  .status = *status,
                  .actor_name = std::string(row.Text(4)),
                  .serve_route = std::string(row.Text(5)),
                  .node_id = std::string(row.Text(6)),
                  .ip_address = std::string(row.Text(7)),
                  .pid = static_cast<int>(row.Int(8)),
                  .started_at = row.Time(9),
                  .stopped_at = row.OptionalTime(10),
                  .last_heartbeat = row.Time(11),
                  .service = std::string(row.Text(12)),
                  .address = std::string(row.Text(13))};
}

Result<std::vector<Instance>> ReadInstances(Statement rows) {
  std::vector<Instance> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), ReadInstance(rows));
  }
}

}  // namespace

Result<std::string> SqliteRegistryStore::CurrentEpoch() {
  SEEDCORE_ASSIGN_OR_RETURN(std::string epoch, readers_.Run([](Database& database) { return ReadEpoch(database); }));
  if (!epoch.empty()) return epoch;
  return writer_.Run([](WriteContext& context) { return EnsureEpoch(context); });
}

Result<void> SqliteRegistryStore::SetCurrentEpoch(const std::string& epoch) {
  if (epoch.empty()) return Fail(ErrorCode::kInvalidArgument, "an epoch has a name", "epoch");
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kSetEpoch, epoch, context.now));
    return {};
  });
}

Result<void> SqliteRegistryStore::Register(const Instance& instance) {
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    std::string epoch = instance.cluster_epoch;
    if (epoch.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(epoch, EnsureEpoch(context));
    }
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kRegister, instance.instance_id, instance.logical_id, epoch,
                                                EnumToString(instance.status), instance.actor_name,
                                                instance.serve_route, instance.node_id, instance.ip_address,
                                                instance.pid, context.now, instance.service, instance.address));
    return {};
  });
}

Result<void> SqliteRegistryStore::SetStatus(const std::string& instance_id, InstanceStatus status) {
  const bool stops = status == InstanceStatus::kDraining || status == InstanceStatus::kDead;
  return writer_.Run([&](WriteContext& context) {
    return OneChanged(context.db.Execute(kSetStatus, instance_id, EnumToString(status),
                                         stops ? std::optional(context.now) : std::nullopt),
                      instance_id);
  });
}

Result<void> SqliteRegistryStore::Beat(const std::string& instance_id) {
  return writer_.Run([&](WriteContext& context) {
    return OneChanged(context.db.Execute(kBeat, instance_id, context.now), instance_id);
  });
}

Result<std::vector<Instance>> SqliteRegistryStore::ActiveInstances(const std::string& logical_id) {
  const WallTime oldest = env_.WallNow() - kHeartbeatFresh;
  return readers_.Run([&](Database& database) -> Result<std::vector<Instance>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kActive, logical_id, oldest));
    return ReadInstances(std::move(rows));
  });
}

Result<std::vector<Instance>> SqliteRegistryStore::ActiveListeners() {
  const WallTime oldest = env_.WallNow() - kHeartbeatFresh;
  return readers_.Run([&](Database& database) -> Result<std::vector<Instance>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kListeners, oldest));
    return ReadInstances(std::move(rows));
  });
}

Result<int> SqliteRegistryStore::ExpireInstances(std::chrono::seconds older_than) {
  return writer_.Run([&](WriteContext& context) -> Result<int> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForget, context.now - kKeepDead, kMostForgotten));
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kForgetMost, kMostDead, kMostForgotten));
    return context.db.Execute(kExpire, context.now - older_than, context.now);
  });
}

}  // namespace seedcore::store::sqlite
