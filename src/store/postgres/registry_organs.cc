#include <fmt/format.h>

#include "store/postgres/registry.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kEnsureOrgan[] =
    "INSERT INTO organ_registry (organ_id, kind, props, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) "
    "ON CONFLICT (organ_id) DO UPDATE SET kind = excluded.kind, props = excluded.props, updated_at = "
    "excluded.updated_at";
constexpr char kEnsureAgent[] =
    "INSERT INTO agent_registry (agent_id, props, created_at, updated_at) VALUES ($1, $2, $3, $3) "
    "ON CONFLICT (agent_id) DO UPDATE SET props = excluded.props, updated_at = excluded.updated_at";
constexpr char kJoinOrgan[] =
    "INSERT INTO agent_member_of_organ (agent_id, organ_id, created_at) VALUES ($1, $2, $3) "
    "ON CONFLICT (agent_id) DO UPDATE SET organ_id = excluded.organ_id, created_at = excluded.created_at";
constexpr char kLeaveOrgan[] = "DELETE FROM agent_member_of_organ WHERE agent_id = $1";
constexpr char kHasOrgan[] = "SELECT 1 FROM organ_registry WHERE organ_id = $1";
constexpr char kHasAgent[] = "SELECT 1 FROM agent_registry WHERE agent_id = $1";
constexpr char kRemoveOrgan[] = "DELETE FROM organ_registry WHERE organ_id = $1";
constexpr char kOrgans[] =
    "SELECT o.organ_id, o.kind, o.props, m.agent_id FROM organ_registry o "
    "LEFT JOIN agent_member_of_organ m ON m.organ_id = o.organ_id ORDER BY o.organ_id COLLATE \"C\", m.agent_id "
    "COLLATE \"C\"";

constexpr char kRoutingRules[] =
    "SELECT task_type, domain, logical_id FROM routing_rule ORDER BY task_type COLLATE \"C\", domain COLLATE \"C\"";
constexpr char kPutRule[] =
    "INSERT INTO routing_rule (task_type, domain, logical_id, updated_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (task_type, domain) DO UPDATE SET logical_id = excluded.logical_id, updated_at = excluded.updated_at";
constexpr char kRemoveRule[] = "DELETE FROM routing_rule WHERE task_type = $1 AND domain = $2";

Result<void> CheckExists(Connection& connection, const char* sql, std::string_view what, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(sql, id));
  if (rows.empty()) return Fail(ErrorCode::kNotFound, fmt::format("there is no {} {}", what, id));
  return {};
}

Result<void> PutIntoOrgan(WriteContext& context, const std::string& agent_id, const std::string& organ_id) {
  if (organ_id.empty()) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kLeaveOrgan, agent_id));
    return {};
  }
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(kJoinOrgan, agent_id, organ_id, context.now));
  return {};
}

}  // namespace

Result<void> PostgresRegistryStore::EnsureOrgan(const std::string& organ_id, const std::string& kind,
                                                const json::object& props) {
  return database_.Write([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kEnsureOrgan, organ_id, kind, WriteObject(props), context.now));
    return {};
  });
}

Result<void> PostgresRegistryStore::EnsureAgent(const std::string& agent_id, const std::string& organ_id,
                                                const json::object& props) {
  return database_.Write([&](WriteContext& context) -> Result<void> {
    if (!organ_id.empty()) SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasOrgan, "organ", organ_id));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kEnsureAgent, agent_id, WriteObject(props), context.now));
    return PutIntoOrgan(context, agent_id, organ_id);
  });
}

Result<void> PostgresRegistryStore::MoveAgent(const std::string& agent_id, const std::string& organ_id) {
  return database_.Write([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasAgent, "agent", agent_id));
    if (!organ_id.empty()) SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasOrgan, "organ", organ_id));
    return PutIntoOrgan(context, agent_id, organ_id);
  });
}

Result<void> PostgresRegistryStore::RemoveOrgan(const std::string& organ_id) {
  return database_.Write([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasOrgan, "organ", organ_id));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kRemoveOrgan, organ_id));
    return {};
  });
}

Result<std::vector<RegistryStore::OrganRow>> PostgresRegistryStore::Organs() {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([](Connection& connection) { return connection.Query(kOrgans); }));
  std::vector<OrganRow> out;
  for (int row = 0; row < rows.size(); ++row) {
    if (out.empty() || out.back().organ_id != rows.Text(row, 0)) {
      SEEDCORE_ASSIGN_OR_RETURN(json::object props, ParseStoredObject(rows.Text(row, 2), "props of an organ"));
      out.push_back({std::string(rows.Text(row, 0)), std::string(rows.Text(row, 1)), std::move(props), {}});
    }
    if (!rows.IsNull(row, 3)) out.back().agent_ids.emplace_back(rows.Text(row, 3));
  }
  return out;
}

Result<std::vector<RoutingRule>> PostgresRegistryStore::RoutingRules() {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([](Connection& connection) { return connection.Query(kRoutingRules); }));
  std::vector<RoutingRule> out;
  for (int row = 0; row < rows.size(); ++row) {
    out.push_back({std::string(rows.Text(row, 0)), std::string(rows.Text(row, 1)), std::string(rows.Text(row, 2))});
  }
  return out;
}

Result<void> PostgresRegistryStore::ChangeRoutingRules(std::span<const RoutingRule> add,
                                                       std::span<const RoutingRule> remove) {
  return database_.Write([&](WriteContext& context) -> Result<void> {
    for (const RoutingRule& rule : add) {
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(kPutRule, rule.task_type, rule.domain, rule.logical_id, context.now));
    }
    for (const RoutingRule& rule : remove) {
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(kRemoveRule, rule.task_type, rule.domain));
    }
    return {};
  });
}

}  // namespace seedcore::store::postgres
