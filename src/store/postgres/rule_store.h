#pragma once

#include "store/postgres/database.h"
#include "store/rule_store.h"

namespace seedcore::store::postgres {

class PostgresRuleStore final : public RuleStore {
 public:
  explicit PostgresRuleStore(Database& database) : database_(database) {}
  Result<RuleVersion> PutRules(const NewRules& rules, std::optional<std::int64_t> expected) override;
  Result<std::optional<RuleVersion>> NewestRules(std::int64_t known) override;
  Result<RuleVersion> GetRules(std::int64_t version) override;
  Result<std::vector<RuleVersion>> RuleVersions() override;

 private:
  Database& database_;
};

}  // namespace seedcore::store::postgres
