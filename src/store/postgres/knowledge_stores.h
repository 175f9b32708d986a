#pragma once

#include "store/postgres/database.h"
#include "store/store.h"

/// Facts, incidents, the energy ledger and stream states on PostgreSQL; each in its own .cc file.
namespace seedcore::store::postgres {

class PostgresFactStore final : public FactStore {
 public:
  explicit PostgresFactStore(Database& database) : database_(database) {}
  Result<Fact> Add(const NewFact& fact) override;
  Result<Fact> Get(const std::string& id_or_prefix) override;
  Result<std::vector<Fact>> Search(const FactQuery& query) override;
  Result<Fact> Update(const std::string& id, const std::optional<std::string>& text,
                      const std::optional<std::vector<std::string>>& tags,
                      const std::optional<json::object>& meta_data) override;
  Result<void> Delete(const std::string& id) override;
  Result<std::int64_t> Count() override;

 private:
  Database& database_;
};

class PostgresIncidentStore final : public IncidentStore {
 public:
  explicit PostgresIncidentStore(Database& database) : database_(database) {}
  Result<Incident> Add(const NewIncident& incident) override;
  Result<std::vector<Incident>> Search(double min_salience, int limit) override;

 private:
  Database& database_;
};

class PostgresLedgerStore final : public LedgerStore {
 public:
  explicit PostgresLedgerStore(Database& database) : database_(database) {}
  Result<LedgerEntry> Append(const NewLedgerEntry& entry) override;
  Result<double> Balance(const std::string& scope, const std::string& scope_id) override;
  Result<std::vector<LedgerEntry>> Recent(int limit) override;
  Result<std::vector<LedgerEntry>> ForTask(const std::string& task_id) override;

 private:
  Database& database_;
};

class PostgresStreamStore final : public StreamStore {
 public:
  explicit PostgresStreamStore(Database& database) : database_(database) {}
  Result<json::value> Load(const std::string& kind, const std::string& key) override;
  Result<json::value> Update(const std::string& kind, const std::string& key,
                             const std::function<json::value(const json::value&)>& update) override;
  Result<std::vector<std::pair<std::string, json::value>>> List(const std::string& kind, int limit,
                                                                const std::string& after) override;

 private:
  Database& database_;
};

}  // namespace seedcore::store::postgres
