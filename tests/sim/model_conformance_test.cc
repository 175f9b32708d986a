#include <map>
#include <memory>

#include "store/conformance.h"
#include "store/sqlite/sqlite_store.h"
#include "support/model_store.h"

namespace seedcore::store {
namespace {

/// Tasks in the model; what is not about tasks in a SQLite store of the same folder.
class ModelBackedStore final : public Store {
 public:
  ModelBackedStore(std::shared_ptr<test::ModelStore> model, std::unique_ptr<Store> rest)
      : model_(std::move(model)), rest_(std::move(rest)) {}
  TaskStore& tasks() override { return *model_; }
  FactStore& facts() override { return rest_->facts(); }
  IncidentStore& incidents() override { return rest_->incidents(); }
  LedgerStore& ledger() override { return rest_->ledger(); }
  StreamStore& streams() override { return rest_->streams(); }
  RegistryStore& registry() override { return rest_->registry(); }
  QueueStore& queues() override { return *model_; }
  GraphStore& graph() override { return rest_->graph(); }
  StepStore& steps() override { return *model_; }
  ScheduleStore& schedules() override { return *model_; }
  RuleStore& rules() override { return rest_->rules(); }
  Health CheckHealth() override { return rest_->CheckHealth(); }

 private:
  std::shared_ptr<test::ModelStore> model_;
  std::unique_ptr<Store> rest_;
};

/// The model of each folder lives as long as the program, so that opening the folder again finds its tasks.
class Models {
 public:
  Result<std::unique_ptr<Store>> Open(const std::string& directory, Env& env, Metrics& metrics) {
    SEEDCORE_ASSIGN_OR_RETURN(auto rest, sqlite::OpenSqliteStore({.path = directory + "/seedcore.db"}, env, metrics));
    Place& place = places_[directory];
    place.rest = rest.get();
    if (place.model == nullptr) {
      place.model = std::make_shared<test::ModelStore>(
          env, metrics, [&place](const Effects& effects) { return Write(*place.rest, effects); });
    }
    return std::make_unique<ModelBackedStore>(place.model, std::move(rest));
  }

 private:
  struct Place {
    std::shared_ptr<test::ModelStore> model;
    Store* rest = nullptr;
  };
  static Result<void> Write(Store& store, const Effects& effects) {
    for (const NewFact& fact : effects.facts) {
      if (auto added = store.facts().Add(fact); !added) return std::unexpected(added.error());
    }
    for (const NewLedgerEntry& entry : effects.ledger) {
      if (auto added = store.ledger().Append(entry); !added) return std::unexpected(added.error());
    }
    for (const NewIncident& incident : effects.incidents) {
      if (auto added = store.incidents().Add(incident); !added) return std::unexpected(added.error());
    }
    return {};
  }
  std::map<std::string, Place> places_;
};

SEEDCORE_TASK_STORE_CONFORMANCE(Model, [models = std::make_shared<Models>()](const std::string& directory, Env& env,
                                                                             Metrics& metrics) {
  return models->Open(directory, env, metrics);
});

}  // namespace
}  // namespace seedcore::store
