#pragma once

#include <memory>
#include <vector>

#include "app/service_unit.h"
#include "cognitive/engine.h"
#include "cognitive/rules/rules.h"
#include "coordinator/rule_book.h"
#include "graph/engine.h"
#include "organism/organism.h"

/// The six units, for those who need more of them than ServiceUnit shows. Each is built from the settings and the
/// foundation, which outlives it; the services it calls are the foundation's peers. Errors: a setting or a file is
/// wrong (kInvalidArgument, kMalformed).
namespace seedcore::app {

class MlUnit final : public ServiceUnit {
 public:
  [[nodiscard]] static Result<std::unique_ptr<MlUnit>> Build(const settings::Settings& settings,
                                                             Foundation& foundation);
  std::vector<net::Route> Routes() override;
  void Stop(const CallContext& call) override;
  [[nodiscard]] service::MlService& service() { return *service_; }

 private:
  std::unique_ptr<service::MlService> service_;
};

class CognitiveUnit final : public ServiceUnit {
 public:
  [[nodiscard]] static Result<std::unique_ptr<CognitiveUnit>> Build(const settings::Settings& settings,
                                                                    Foundation& foundation);
  std::vector<net::Route> Routes() override;
  [[nodiscard]] service::CognitiveService& service() { return *service_; }

 private:
  std::unique_ptr<cognitive::rules::RulesProvider> provider_;
  std::unique_ptr<cognitive::Engine> engine_;
  std::unique_ptr<service::CognitiveService> service_;
};

class CoordinatorUnit final : public ServiceUnit {
 public:
  [[nodiscard]] static Result<std::unique_ptr<CoordinatorUnit>> Build(const settings::Settings& settings,
                                                                      Foundation& foundation);
  std::vector<net::Route> Routes() override;
  /// Watches the rules of the store and the rule file.
  Result<void> Start() override;
  void Stop(const CallContext& call) override;
  [[nodiscard]] service::CoordinatorService& service() { return *service_; }
  [[nodiscard]] coordinator::RuleBook& rules() { return *rules_; }

 private:
  std::unique_ptr<coordinator::RuleBook> rules_;
  std::unique_ptr<coordinator::RuleWatcher> watcher_;
  std::unique_ptr<service::CoordinatorService> service_;
};

class StateUnit final : public ServiceUnit {
 public:
  [[nodiscard]] static Result<std::unique_ptr<StateUnit>> Build(const settings::Settings& settings,
                                                                Foundation& foundation);
  std::vector<net::Route> Routes() override;
  [[nodiscard]] service::StateService& service() { return *service_; }

 private:
  std::unique_ptr<service::StateService> service_;
};

class EnergyUnit final : public ServiceUnit {
 public:
  [[nodiscard]] static Result<std::unique_ptr<EnergyUnit>> Build(const settings::Settings& settings,
                                                                 Foundation& foundation);
  std::vector<net::Route> Routes() override;

 private:
  std::unique_ptr<service::EnergyService> service_;
};

class OrganismUnit final : public ServiceUnit {
 public:
  [[nodiscard]] static Result<std::unique_ptr<OrganismUnit>> Build(const settings::Settings& settings,
                                                                   Foundation& foundation);
  std::vector<net::Route> Routes() override;
  /// Makes the organs and agents.
  Result<void> Start() override;
  void Stop(const CallContext& call) override;
  /// Agents and their states are in its memory.
  [[nodiscard]] bool IsSingleton() const override { return true; }
  [[nodiscard]] service::OrganismService& service() { return *service_; }
  /// What can be executed here, by type of task.
  [[nodiscard]] const organism::ExecutorRegistry& executors() const { return organism_->executors(); }
  [[nodiscard]] const graph::Engine& graph() const { return *graph_; }

 private:
  std::unique_ptr<graph::Engine> graph_;  // executors use it
  std::unique_ptr<organism::Organism> organism_;
  std::unique_ptr<service::OrganismService> service_;
};

}  // namespace seedcore::app
