// `seedcore store ...`, as a person or a script runs it.
#include <csignal>
#include <fstream>

#include <fmt/format.h>

#include "program.h"
#include "store/postgres/testing.h"

namespace seedcore::test {
namespace {

using store::postgres::TestServer;

constexpr char kSecret[] = "s3cret";

/// A program with a store of its own, in which the platform has worked.
class StoreCommand : public testing::Test {
 protected:
  StoreCommand() { data_ = (seedcore_.folder() / "data").string(); }

  std::string Dsn(const std::string& database) {
    server_.CreateDatabase(database);
    return server_.Dsn(database);
  }

  TestServer& server_ = TestServer::Shared();
  Program seedcore_;
  std::string data_;
};

TEST_F(StoreCommand, ANewStoreIsMigratedCheckedCopiedToPostgresqlAndBack) {
  const json::value migrated = seedcore_.Json({"store", "migrate", data_ + "/"});
  EXPECT_EQ(migrated.at("from"), 0);
  EXPECT_GE(migrated.at("to").as_int64(), 3);
  EXPECT_EQ(seedcore_.Json({"store", "check", data_}).at("sound"), true);

  const std::string dsn = Dsn("cli_copy");
  const Outcome there = seedcore_.Run({"store", "copy", data_, dsn});
  EXPECT_EQ(there.code, 0) << there.err;
  EXPECT_TRUE(Contains(there.out, "copied and verified")) << there.out;
  const std::string back = (seedcore_.folder() / "back.db").string();
  EXPECT_EQ(seedcore_.Json({"store", "copy", dsn, back}).at("rows"), 0);
  EXPECT_EQ(seedcore_.Json({"store", "check", dsn}).at("sound"), true);
  for (const Outcome& outcome :
       {there, seedcore_.Run({"store", "check", dsn}), seedcore_.Run({"store", "migrate", dsn})}) {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_FALSE(Contains(outcome.out + outcome.err, kSecret)) << outcome.out << outcome.err;
  }
}

TEST_F(StoreCommand, TheConfiguredStoreIsMeantWhenNoneIsNamed) {
  seedcore_.Set("SEEDCORE_PG_DSN", Dsn("cli_configured"));
  EXPECT_TRUE(Contains(seedcore_.Run({"store", "migrate"}).out, "/cli_configured: schema 0 -> "));
  EXPECT_TRUE(Contains(seedcore_.Run({"store", "migrate"}).out, "nothing to do"));
  EXPECT_EQ(seedcore_.Run({"store", "check"}).code, 0);
}

TEST_F(StoreCommand, WhatIsBrokenIsNamedAndTheExitCodeSaysSo) {
  const std::string dsn = Dsn("cli_broken");
  EXPECT_EQ(seedcore_.Run({"store", "migrate", dsn}).code, 0);
  server_.Execute("cli_broken",
                  "INSERT INTO task_payload (seq, type, domain, description, params) VALUES (1,'','','','{}')");
  const Outcome outcome = seedcore_.Run({"store", "check", dsn});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(Contains(outcome.out, "every payload belongs to a task")) << outcome.out;
  EXPECT_EQ(seedcore_.Json({"store", "check", dsn}, 1).at("sound"), false);
}

TEST_F(StoreCommand, EachWrongStoreIsOneLineWithoutAPassword) {
  const std::string good = Dsn("cli_wrong");
  std::string wrong_password = good;
  wrong_password.replace(wrong_password.find("s3cret-of-tests"), 15, "s3cret-wrong");
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string text;
  };
  const std::vector<Case> cases{
      {{"store", "check", data_}, 3, "there is no store"},
      {{"store", "check", good}, 3, "there is no store in this database"},
      {{"store", "check", wrong_password}, 6, "password"},
      {{"store", "check",
        fmt::format("host=127.0.0.1 port={} user=seedcore password=s3cret-wrong dbname=x", server_.port())},
       6,
       "password"},
      {{"store", "migrate", "postgresql://seedcore:s3cret@127.0.0.1:1/x"}, 4, "cannot be reached"},
      {{"store", "migrate", "postgresql://seedcore:a@s3cret@127.0.0.1:1/x"}, 2, "percent-encoded"},
      {{"store", "migrate", "mysql://seedcore:s3cret@h/x"}, 2, "begins with postgresql://"},
      {{"store", "migrate", "postgresql:/seedcore:s3cret@h/x"}, 2, "begins with postgresql://"},
      {{"store", "migrate", server_.Dsn("nowhere")}, 3, "does not exist"},
      {{"store", "migrate", "host=h passwort=s3cret"}, 2, "not a PostgreSQL connection string"},
      {{"store", "copy", data_, good}, 3, "there is no store"},
  };
  for (const Case& c : cases) {
    const Outcome outcome = seedcore_.Run(c.arguments);
    EXPECT_EQ(outcome.code, c.code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(Contains(outcome.err, c.text)) << outcome.err;
    EXPECT_FALSE(Contains(outcome.err, kSecret)) << outcome.err;
  }
}

TEST_F(StoreCommand, ANewerSchemaIsRefusedWithBothVersions) {
  const std::string dsn = Dsn("cli_future");
  EXPECT_EQ(seedcore_.Run({"store", "migrate", dsn}).code, 0);
  server_.Execute("cli_future", "INSERT INTO schema_version VALUES (99, 'from the future', now())");
  const Outcome outcome = seedcore_.Run({"store", "migrate", dsn});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(Contains(outcome.err, "99")) << outcome.err;
  const Outcome checked = seedcore_.Run({"store", "check", dsn});
  EXPECT_EQ(checked.code, 6);
  EXPECT_TRUE(Contains(checked.err, "99")) << checked.err;
}

}  // namespace
}  // namespace seedcore::test
