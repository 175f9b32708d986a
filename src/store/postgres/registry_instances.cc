#include <array>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/postgres/registry.h"

namespace seedcore::store::postgres {
namespace {

constexpr std::chrono::seconds kHeartbeatFresh{15};
constexpr std::chrono::hours kKeepDead{7 * 24};
constexpr std::int64_t kMostDead = 2000;
constexpr std::int64_t kMostForgotten = 1000;  // at a time

constexpr char kSelectEpoch[] = "SELECT current_epoch FROM cluster_metadata WHERE id = 1";
constexpr char kSetEpoch[] = "SELECT set_current_epoch($1, $2)";
// Of several that begin at once, the first one's epoch stays.
constexpr char kMakeEpoch[] =
    "INSERT INTO cluster_metadata (id, current_epoch, updated_at) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING";
constexpr char kRegister[] = "SELECT register_instance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
constexpr char kSetStatus[] = "SELECT set_instance_status($1, $2, $3)";
constexpr char kBeat[] = "SELECT beat($1, $2)";
constexpr char kActive[] =
    "SELECT instance_id, logical_id, cluster_epoch, status, actor_name, serve_route, node_id, ip_address, pid, "
    "started_at, stopped_at, last_heartbeat, service, address FROM registry_instance "
    "WHERE logical_id = $1 AND status = 'alive' "
    "AND cluster_epoch = (SELECT current_epoch FROM cluster_metadata WHERE id = 1) AND last_heartbeat > $2 "
    "ORDER BY last_heartbeat DESC, started_at, instance_id";
constexpr char kListeners[] =
    "SELECT instance_id, logical_id, cluster_epoch, status, actor_name, serve_route, node_id, ip_address, pid, "
    "started_at, stopped_at, last_heartbeat, service, address FROM registry_instance "
    "WHERE status = 'alive' AND address <> '' AND last_heartbeat > $1 "
    "ORDER BY service, started_at, instance_id";
constexpr char kExpire[] =
    "UPDATE registry_instance SET status = 'dead', stopped_at = $2 WHERE status <> 'dead' AND (last_heartbeat < $1 "
    "OR cluster_epoch IS DISTINCT FROM (SELECT current_epoch FROM cluster_metadata WHERE id = 1))";
// Those long dead, of whatever epoch. $1 the oldest heartbeat to keep, $2 at most
constexpr char kForget[] =
    "WITH gone AS MATERIALIZED (SELECT instance_id FROM registry_instance WHERE status = 'dead' AND last_heartbeat < "
    "$1 ORDER BY last_heartbeat LIMIT $2 FOR UPDATE SKIP LOCKED) "
    "DELETE FROM registry_instance i USING gone g WHERE i.instance_id = g.instance_id";
// What comes and goes all the time, as a process that dies at its start. $1 how many are kept, $2 at most
constexpr char kForgetMost[] =
    "DELETE FROM registry_instance WHERE instance_id = ANY (ARRAY(SELECT instance_id FROM registry_instance "
    "WHERE status = 'dead' ORDER BY last_heartbeat DESC, instance_id DESC OFFSET $1 LIMIT $2)) AND status = 'dead'";

Result<std::string> ReadEpoch(Connection& connection) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kSelectEpoch));
  return rows.empty() ? std::string() : std::string(rows.Text(0, 0));
}

Result<std::string> EnsureEpoch(WriteContext& context) {
  SEEDCORE_ASSIGN_OR_RETURN(std::string epoch, ReadEpoch(context.db));
  if (!epoch.empty()) return epoch;
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(kMakeEpoch, context.env.NewId(), context.now));
  return ReadEpoch(context.db);
}

Result<void> OneChanged(const Result<Rows>& rows, const std::string& instance_id) {
  if (!rows) return std::unexpected(rows.error());
  if (rows->Int(0, 0) == 1) return {};
  return Fail(ErrorCode::kNotFound, fmt::format("there is no instance {}", instance_id));
}

Result<Instance> ReadInstance(const Rows& rows, int row) {
  const auto status = EnumFromString<InstanceStatus>(rows.Text(row, 3));
  if (!status) return Fail(ErrorCode::kCorrupt, "a stored instance is damaged");
  return Instance{.instance_id = std::string(rows.Text(row, 0)),
                  .logical_id = std::string(rows.Text(row, 1)),
                  .cluster_epoch = std::string(rows.Text(row, 2)),
                  .status = *status,
                  .actor_name = std::string(rows.Text(row, 4)),
                  .serve_route = std::string(rows.Text(row, 5)),
                  .node_id = std::string(rows.Text(row, 6)),
                  .ip_address = std::string(rows.Text(row, 7)),
                  .pid = static_cast<int>(rows.Int(row, 8)),
                  .started_at = rows.Time(row, 9),
                  .stopped_at = rows.OptionalTime(row, 10),
                  .last_heartbeat = rows.Time(row, 11),
                  .service = std::string(rows.Text(row, 12)),
                  .address = std::string(rows.Text(row, 13))};
}

Result<std::vector<Instance>> ReadInstances(const Rows& rows) {
  std::vector<Instance> out;
  for (int row = 0; row < rows.size(); ++row) {
    SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), ReadInstance(rows, row));
  }
  return out;
}

}  // namespace

Result<std::string> PostgresRegistryStore::CurrentEpoch() {
  SEEDCORE_ASSIGN_OR_RETURN(std::string epoch,
                            database_.Read([](Connection& connection) { return ReadEpoch(connection); }));
  if (!epoch.empty()) return epoch;
  return database_.Write([](WriteContext& context) { return EnsureEpoch(context); });
}

Result<void> PostgresRegistryStore::SetCurrentEpoch(const std::string& epoch) {
  if (epoch.empty()) return Fail(ErrorCode::kInvalidArgument, "an epoch has a name", "epoch");
  return database_.WriteOnce([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kSetEpoch, epoch, context.now));
    return {};
  });
}

Result<void> PostgresRegistryStore::Register(const Instance& instance) {
  return database_.Write([&](WriteContext& context) -> Result<void> {
    std::string epoch = instance.cluster_epoch;
    if (epoch.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(epoch, EnsureEpoch(context));
    }
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kRegister, instance.instance_id, instance.logical_id, epoch,
                                              instance.actor_name, instance.serve_route, instance.node_id,
                                              instance.ip_address, instance.pid, context.now,
                                              EnumToString(instance.status), instance.service, instance.address));
    return {};
  });
}

Result<void> PostgresRegistryStore::SetStatus(const std::string& instance_id, InstanceStatus status) {
  return database_.WriteOnce([&](WriteContext& context) {
    return OneChanged(context.db.Query(kSetStatus, instance_id, EnumToString(status), context.now), instance_id);
  });
}

Result<void> PostgresRegistryStore::Beat(const std::string& instance_id) {
  return database_.WriteOnce([&](WriteContext& context) {
    return OneChanged(context.db.Query(kBeat, instance_id, context.now), instance_id);
  });
}

Result<std::vector<Instance>> PostgresRegistryStore::ActiveInstances(const std::string& logical_id) {
  const WallTime oldest = env_.WallNow() - kHeartbeatFresh;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kActive, logical_id, oldest);
  }));
  return ReadInstances(rows);
}

Result<std::vector<Instance>> PostgresRegistryStore::ActiveListeners() {
  const WallTime oldest = env_.WallNow() - kHeartbeatFresh;
  SEEDCORE_ASSIGN_OR_RETURN(
      const Rows rows, database_.Read([&](Connection& connection) { return connection.Query(kListeners, oldest); }));
  return ReadInstances(rows);
}

Result<int> PostgresRegistryStore::ExpireInstances(std::chrono::seconds older_than) {
  return database_.WriteOnce([&](WriteContext& context) -> Result<int> {
    const std::array calls = {Call{kForget, MakeParams(context.now - kKeepDead, kMostForgotten)},
                              Call{kForgetMost, MakeParams(kMostDead, kMostForgotten)},
                              Call{kExpire, MakeParams(context.now - older_than, context.now)}};
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context.db.Pipeline(calls));
    return answers.back().changed();
  });
}

}  // namespace seedcore::store::postgres
