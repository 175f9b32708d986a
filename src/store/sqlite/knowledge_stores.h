#pragma once

#include "store/sqlite/readers.h"
#include "store/sqlite/writer.h"
#include "store/store.h"

/// Facts, incidents, the energy ledger and stream states on SQLite; each in its own .cc file.
namespace seedcore::store::sqlite {

class SqliteFactStore final : public FactStore {
 public:
  SqliteFactStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}
  Result<Fact> Add(const NewFact& fact) override;
  Result<Fact> Get(const std::string& id_or_prefix) override;
  Result<std::vector<Fact>> Search(const FactQuery& query) override;
  Result<Fact> Update(const std::string& id, const std::optional<std::string>& text,
                      const std::optional<std::vector<std::string>>& tags,
                      const std::optional<json::object>& meta_data) override;
  Result<void> Delete(const std::string& id) override;
  Result<std::int64_t> Count() override;

 private:
  Writer& writer_;
  Readers& readers_;
};

class SqliteIncidentStore final : public IncidentStore {
 public:
  SqliteIncidentStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}
  Result<Incident> Add(const NewIncident& incident) override;
  Result<std::vector<Incident>> Search(double min_salience, int limit) override;

 private:
  Writer& writer_;
  Readers& readers_;
};

class SqliteLedgerStore final : public LedgerStore {
 public:
  SqliteLedgerStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}
  Result<LedgerEntry> Append(const NewLedgerEntry& entry) override;
  Result<double> Balance(const std::string& scope, const std::string& scope_id) override;
  Result<std::vector<LedgerEntry>> Recent(int limit) override;
  Result<std::vector<LedgerEntry>> ForTask(const std::string& task_id) override;

 private:
  Writer& writer_;
  Readers& readers_;
};

class SqliteStreamStore final : public StreamStore {
 public:
  SqliteStreamStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}
  Result<json::value> Load(const std::string& kind, const std::string& key) override;
  Result<json::value> Update(const std::string& kind, const std::string& key,
                             const std::function<json::value(const json::value&)>& update) override;
  Result<std::vector<std::pair<std::string, json::value>>> List(const std::string& kind, int limit,
                                                                const std::string& after) override;

 private:
  Writer& writer_;
  Readers& readers_;
};

}  // namespace seedcore::store::sqlite
