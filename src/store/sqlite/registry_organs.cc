#include <fmt/format.h>

#include "store/sqlite/registry.h"
#include "store/sqlite/task_row.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kEnsureOrgan[] =
    "INSERT INTO organ_registry (organ_id, kind, props, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4) "
    "ON CONFLICT (organ_id) DO UPDATE SET kind = excluded.kind, props = excluded.props, updated_at = "
    "excluded.updated_at";
constexpr char kEnsureAgent[] =
    "INSERT INTO agent_registry (agent_id, props, created_at, updated_at) VALUES (?1, ?2, ?3, ?3) "
    "ON CONFLICT (agent_id) DO UPDATE SET props = excluded.props, updated_at = excluded.updated_at";
constexpr char kJoinOrgan[] =
    "INSERT INTO agent_member_of_organ (agent_id, organ_id, created_at) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (agent_id) DO UPDATE SET organ_id = excluded.organ_id, created_at = excluded.created_at";
constexpr char kLeaveOrgan[] = "DELETE FROM agent_member_of_organ WHERE agent_id = ?1";
constexpr char kHasOrgan[] = "SELECT 1 FROM organ_registry WHERE organ_id = ?1";
constexpr char kHasAgent[] = "SELECT 1 FROM agent_registry WHERE agent_id = ?1";
constexpr char kRemoveOrgan[] = "DELETE FROM organ_registry WHERE organ_id = ?1";
constexpr char kOrgans[] =
    "SELECT o.organ_id, o.kind, o.props, m.agent_id FROM organ_registry o "
    "LEFT JOIN agent_member_of_organ m ON m.organ_id = o.organ_id ORDER BY o.organ_id, m.agent_id";

constexpr char kRoutingRules[] = "SELECT task_type, domain, logical_id FROM routing_rule ORDER BY task_type, domain";
constexpr char kPutRule[] =
    "INSERT INTO routing_rule (task_type, domain, logical_id, updated_at) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (task_type, domain) DO UPDATE SET logical_id = excluded.logical_id, updated_at = excluded.updated_at";
constexpr char kRemoveRule[] = "DELETE FROM routing_rule WHERE task_type = ?1 AND domain = ?2";

Result<void> CheckExists(Database& database, const char* sql, std::string_view what, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(sql, id));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return Fail(ErrorCode::kNotFound, fmt::format("there is no {} {}", what, id));
  return {};
}

Result<void> PutIntoOrgan(WriteContext& context, const std::string& agent_id, const std::string& organ_id) {
  if (organ_id.empty()) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kLeaveOrgan, agent_id));
    return {};
  }
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kJoinOrgan, agent_id, organ_id, context.now));
  return {};
}

}  // namespace

Result<void> SqliteRegistryStore::EnsureOrgan(const std::string& organ_id, const std::string& kind,
                                              const json::object& props) {
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kEnsureOrgan, organ_id, kind, WriteObject(props), context.now));
    return {};
  });
}

Result<void> SqliteRegistryStore::EnsureAgent(const std::string& agent_id, const std::string& organ_id,
                                              const json::object& props) {
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    if (!organ_id.empty()) SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasOrgan, "organ", organ_id));
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kEnsureAgent, agent_id, WriteObject(props), context.now));
    return PutIntoOrgan(context, agent_id, organ_id);
  });
}

Result<void> SqliteRegistryStore::MoveAgent(const std::string& agent_id, const std::string& organ_id) {
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasAgent, "agent", agent_id));
    if (!organ_id.empty()) SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasOrgan, "organ", organ_id));
    return PutIntoOrgan(context, agent_id, organ_id);
  });
}

Result<void> SqliteRegistryStore::RemoveOrgan(const std::string& organ_id) {
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(CheckExists(context.db, kHasOrgan, "organ", organ_id));
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kRemoveOrgan, organ_id));
    return {};
  });
}

Result<std::vector<RegistryStore::OrganRow>> SqliteRegistryStore::Organs() {
  return readers_.Run([](Database& database) -> Result<std::vector<OrganRow>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kOrgans));
    std::vector<OrganRow> out;
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      if (out.empty() || out.back().organ_id != rows.Text(0)) {
        SEEDCORE_ASSIGN_OR_RETURN(json::object props, ParseStoredObject(rows.Text(2), "props of an organ"));
        out.push_back({std::string(rows.Text(0)), std::string(rows.Text(1)), std::move(props), {}});
      }
      if (!rows.IsNull(3)) out.back().agent_ids.emplace_back(rows.Text(3));
    }
  });
}

Result<std::vector<RoutingRule>> SqliteRegistryStore::RoutingRules() {
  return readers_.Run([](Database& database) -> Result<std::vector<RoutingRule>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kRoutingRules));
    std::vector<RoutingRule> out;
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      out.push_back({std::string(rows.Text(0)), std::string(rows.Text(1)), std::string(rows.Text(2))});
    }
  });
}

Result<void> SqliteRegistryStore::ChangeRoutingRules(std::span<const RoutingRule> add,
                                                     std::span<const RoutingRule> remove) {
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    for (const RoutingRule& rule : add) {
      SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kPutRule, rule.task_type, rule.domain, rule.logical_id, context.now));
    }
    for (const RoutingRule& rule : remove) {
      SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kRemoveRule, rule.task_type, rule.domain));
    }
    return {};
  });
}

}  // namespace seedcore::store::sqlite
