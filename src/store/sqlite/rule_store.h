#pragma once

#include "store/rule_store.h"
#include "store/sqlite/readers.h"
#include "store/sqlite/writer.h"

namespace seedcore::store::sqlite {

class SqliteRuleStore final : public RuleStore {
 public:
  SqliteRuleStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}
  Result<RuleVersion> PutRules(const NewRules& rules, std::optional<std::int64_t> expected) override;
  Result<std::optional<RuleVersion>> NewestRules(std::int64_t known) override;
  Result<RuleVersion> GetRules(std::int64_t version) override;
  Result<std::vector<RuleVersion>> RuleVersions() override;

 private:
  Writer& writer_;
  Readers& readers_;
};

}  // namespace seedcore::store::sqlite
