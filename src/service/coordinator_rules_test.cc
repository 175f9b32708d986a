#include "service/coordinator_test_world.h"

namespace seedcore::service {
namespace {

constexpr const char* kHold = "routing: [{when: '1', do: hold}]\nmutations: [{when: '1', do: hold}]\n";
constexpr const char* kFast = "routing: [{when: '1', do: fast_path}]\nmutations: [{when: '1', do: hold}]\n";

/// Two coordinators on one store, each with a book of its own.
class CoordinatorRulesTest : public CoordinatorTest {
 protected:
  CoordinatorRulesTest() { service_ = std::make_unique<CoordinatorService>(Dependencies(here_)); }

  static coordinator::RouteAction ActionOf(const coordinator::RuleBook& book) {
    return book.Current()->routing.front().action;
  }

  coordinator::RuleBook here_{env_, RuleSourcesOf(store_->rules())};
  coordinator::RuleBook there_{env_, RuleSourcesOf(store_->rules())};
};

TEST_F(CoordinatorRulesTest, RulesThatArePutHoldForAllWhoShareTheStore) {
  const auto put = service_->PutPredicates({.yaml = kHold, .note = "a quiet day", .expected_version = 0}, {});
  ASSERT_TRUE(put) << ToString(put.error());
  EXPECT_EQ(put->version, 1);
  EXPECT_EQ(ActionOf(here_), coordinator::RouteAction::kHold);
  coordinator::RuleWatcher watcher(env_, there_);
  EXPECT_TRUE(watcher.Look());
  EXPECT_EQ(ActionOf(there_), coordinator::RouteAction::kHold);
  const auto status = service_->PredicatesStatus({}, {});
  EXPECT_EQ(status->predicate_config.store_version, 1);
  EXPECT_EQ(status->predicate_config.file, "store, version 1");
}

TEST_F(CoordinatorRulesTest, RulesWithAnErrorAreRefusedWithTheirLineAndNotStored) {
  const auto refused = service_->PutPredicates({.yaml = "routing:\n  - {when: '1', do: dance}\n"}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().path, "yaml:2");
  EXPECT_EQ(service_->PutPredicates({.yaml = ""}, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(service_->PredicateVersions({}, {})->items.empty());
  EXPECT_EQ(here_.Current()->source, "built-in");
}

TEST_F(CoordinatorRulesTest, VersionsAreListedReadAndWithdrawn) {
  ASSERT_TRUE(service_->PutPredicates({.yaml = kHold, .note = "first"}, {}));
  ASSERT_TRUE(service_->PutPredicates({.yaml = kFast, .note = "second"}, {}));
  EXPECT_EQ(service_->PutPredicates({.yaml = kHold, .expected_version = 1}, {}).error().code, ErrorCode::kConflict);
  const auto withdrawn = service_->WithdrawPredicates({.note = "enough", .expected_version = 2}, {});
  ASSERT_TRUE(withdrawn) << ToString(withdrawn.error());
  EXPECT_TRUE(withdrawn->withdrawn);
  EXPECT_EQ(here_.Current()->source, "built-in");

  const auto versions = service_->PredicateVersions({}, {});
  ASSERT_EQ(versions->items.size(), 3U);
  EXPECT_EQ(versions->items[0].note, "enough");
  EXPECT_EQ(versions->items[2].version, 1);
  EXPECT_EQ(service_->PredicateVersion({.version = 2}, {})->yaml, kFast);
  EXPECT_EQ(service_->PredicateVersion({.version = 3}, {})->yaml, std::nullopt);
  EXPECT_EQ(service_->PredicateVersion({.version = 4}, {}).error().code, ErrorCode::kNotFound);
}

TEST_F(CoordinatorRulesTest, RulesAreNotWithdrawnInFavorOfAFileWithAnError) {
  const std::string file = folder_.File("rules.yaml");
  coordinator::RuleBook book(env_, RuleSourcesOf(store_->rules(), file));
  service_ = std::make_unique<CoordinatorService>(Dependencies(book));
  ASSERT_TRUE(service_->PutPredicates({.yaml = kHold}, {}));
  EXPECT_EQ(service_->WithdrawPredicates({}, {}).error().code, ErrorCode::kNotFound) << "the file is not there";
  EXPECT_EQ(book.Current()->shared_version, 1);
  std::ofstream(file) << kFast;
  ASSERT_TRUE(service_->WithdrawPredicates({}, {}));
  EXPECT_EQ(book.Current()->source, file);
}

TEST_F(CoordinatorRulesTest, HealthSaysThatTheRulesOfTheStoreCannotBeRead) {
  // As a newer program may write them.
  ASSERT_TRUE(store_->rules().PutRules({.text = "routing: [{when: '1', do: dream}]", .note = {}}, std::nullopt));
  EXPECT_FALSE(here_.LoadShared());
  EXPECT_EQ(here_.Current()->source, "built-in");
  const auto health = service_->Health({}, {});
  EXPECT_NE(health->parts.at("rules").find("store, version 1:1"), std::string::npos) << health->parts.at("rules");
  ASSERT_TRUE(service_->PutPredicates({.yaml = kHold}, {}));
  EXPECT_EQ(service_->Health({}, {})->parts.at("rules"), "ok");
}

}  // namespace
}  // namespace seedcore::service
