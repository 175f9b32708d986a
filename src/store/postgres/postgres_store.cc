#include "store/postgres/postgres_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "store/postgres/graph_store.h"
#include "store/postgres/knowledge_stores.h"
#include "store/postgres/migrations.h"
#include "store/postgres/queue_store.h"
#include "store/postgres/registry.h"
#include "store/postgres/rehearsal.h"
#include "store/postgres/rule_store.h"
#include "store/postgres/schedule_store.h"
#include "store/postgres/step_store.h"
#include "store/postgres/task_store.h"
#include "store/tables.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kProbeRead[] = "SELECT pg_database_size(current_database())";
constexpr char kProbeWrite[] =
    "INSERT INTO store_health (id, checked_at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET checked_at = $1";

constexpr char kHasCopyTable[] = "SELECT to_regclass($1::text) IS NOT NULL";

class PostgresStore final : public Store {
 public:
  PostgresStore(std::string place, int schema_version, const DatabaseSettings& settings, std::size_t queue_bound,
                const StreamRetention& streams, Env& env, Metrics& metrics)
      : place_(std::move(place)),
        schema_version_(schema_version),
        database_(settings, env, metrics),
        tasks_(database_, env, queue_bound),
        registry_(database_, env) {
    tasks_.Forget(streams);
  }

  Result<void> Rehearse(int connections) { return database_.Rehearse(connections, RehearseTask); }

  TaskStore& tasks() override { return tasks_; }
  FactStore& facts() override { return facts_; }
  IncidentStore& incidents() override { return incidents_; }
  LedgerStore& ledger() override { return ledger_; }
  StreamStore& streams() override { return streams_; }
  RegistryStore& registry() override { return registry_; }
  QueueStore& queues() override { return queues_; }
  GraphStore& graph() override { return graph_; }
  StepStore& steps() override { return steps_; }
  ScheduleStore& schedules() override { return schedules_; }
  RuleStore& rules() override { return rules_; }

  Health CheckHealth() override {
    Health health{.backend = "postgresql", .location = "postgresql://" + place_, .schema_version = schema_version_};
    const auto size = database_.Read([](Connection& connection) { return connection.Query(kProbeRead); });
    if (!size) {
      health.error = ToString(size.error());
      return health;
    }
    health.size_bytes = size->Int(0, 0);
    const auto written =
        database_.WriteOnce([](WriteContext& context) { return context.db.Query(kProbeWrite, context.now); });
    health.writable = written.has_value();
    if (!written) health.error = ToString(written.error());
    return health;
  }

 private:
  const std::string place_;  ///< without user and password
  const int schema_version_;
  Database database_;
  PostgresTaskStore tasks_;
  PostgresFactStore facts_{database_};
  PostgresIncidentStore incidents_{database_};
  PostgresLedgerStore ledger_{database_};
  PostgresStreamStore streams_{database_};
  PostgresQueueStore queues_{database_};
  PostgresGraphStore graph_{database_};
  PostgresStepStore steps_{database_};
  PostgresScheduleStore schedules_{database_};
  PostgresRuleStore rules_{database_};
  PostgresRegistryStore registry_;
};

Result<void> CheckCount(int count, const char* name) {
  if (count >= 1 && count <= 64) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to 64, got {}", count), name);
}

}  // namespace

Result<std::unique_ptr<Store>> OpenPostgresStore(const PostgresSettings& settings, Env& env, Metrics& metrics) {
  if (settings.dsn.empty()) return Fail(ErrorCode::kInvalidArgument, "the store needs a DSN", "store.pg_dsn");
  SEEDCORE_RETURN_IF_ERROR(CheckCount(settings.writers, "writers"));
  SEEDCORE_RETURN_IF_ERROR(CheckCount(settings.readers, "readers"));
  const DatabaseSettings database{.connect = {.dsn = settings.dsn,
                                              .connect_timeout = settings.connect_timeout,
                                              .statement_timeout = settings.statement_timeout,
                                              .lock_timeout = settings.lock_timeout,
                                              .answer_timeout = settings.answer_timeout,
                                              .setup = {}},
                                  .writers = settings.writers,
                                  .readers = settings.readers,
                                  .max_wait = settings.max_wait};
  SEEDCORE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> first, Connection::Open(database.connect));
  SEEDCORE_ASSIGN_OR_RETURN(const int version, Migrate(*first, env.WallNow(), Migrations()));
  SEEDCORE_ASSIGN_OR_RETURN(const Rows half, first->Query(kHasCopyTable, std::string_view(kCopyTable)));
  if (half.Bool(0, 0)) return std::unexpected(UnfinishedCopy("postgresql://" + first->place()));
  auto store = std::make_unique<PostgresStore>(first->place(), version, database, settings.queue_bound,
                                               settings.streams, env, metrics);
  if (const auto rehearsed = store->Rehearse(std::min(settings.rehearsed, settings.writers)); !rehearsed) {
    log::Warning("the first tasks will take longer", {{"error", rehearsed.error().message}});
  }
  return store;
}

}  // namespace seedcore::store::postgres
