#pragma once

#include "store/sqlite/readers.h"
#include "store/sqlite/writer.h"
#include "store/store.h"

namespace seedcore::store::sqlite {

/// Epoch and instances in registry_instances.cc; organs, agents and routing rules in registry_organs.cc.
class SqliteRegistryStore final : public RegistryStore {
 public:
  SqliteRegistryStore(Writer& writer, Readers& readers, Env& env) : writer_(writer), readers_(readers), env_(env) {}

  Result<std::string> CurrentEpoch() override;
  Result<void> SetCurrentEpoch(const std::string& epoch) override;
  Result<void> Register(const Instance& instance) override;
  Result<void> SetStatus(const std::string& instance_id, InstanceStatus status) override;
  Result<void> Beat(const std::string& instance_id) override;
  Result<std::vector<Instance>> ActiveInstances(const std::string& logical_id) override;
  Result<std::vector<Instance>> ActiveListeners() override;
  Result<int> ExpireInstances(std::chrono::seconds older_than) override;

  Result<void> EnsureOrgan(const std::string& organ_id, const std::string& kind, const json::object& props) override;
  Result<void> EnsureAgent(const std::string& agent_id, const std::string& organ_id,
                           const json::object& props) override;
  Result<void> MoveAgent(const std::string& agent_id, const std::string& organ_id) override;
  Result<void> RemoveOrgan(const std::string& organ_id) override;
  Result<std::vector<OrganRow>> Organs() override;

  Result<std::vector<RoutingRule>> RoutingRules() override;
  Result<void> ChangeRoutingRules(std::span<const RoutingRule> add, std::span<const RoutingRule> remove) override;

 private:
  Writer& writer_;
  Readers& readers_;
  Env& env_;
};

}  // namespace seedcore::store::sqlite
