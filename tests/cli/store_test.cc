// `seedcore store ...`, as a person or a script runs it.
#include <csignal>
#include <filesystem>
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

TEST_F(StoreCommand, AnApplicationsOwnTablesStayWhereTheyAreAndAreNamed) {
  const std::string dsn = Dsn("cli_foreign");
  EXPECT_EQ(seedcore_.Run({"store", "migrate", dsn}).code, 0);
  server_.Execute("cli_foreign",
                  "CREATE TABLE orders (id int PRIMARY KEY, price numeric); INSERT INTO orders VALUES "
                  "(42, 1.5); CREATE TABLE \"Customers\" (name text); INSERT INTO \"Customers\" VALUES "
                  "('Ada'); SELECT seedcore_enqueue('ship_order', '{\"order\": 42}')");
  const Outcome outcome = seedcore_.Run({"store", "copy", dsn, data_});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "left out, not of SeedCore: Customers, orders\n")) << outcome.out;
  const json::value report = seedcore_.Json({"store", "copy", dsn, data_ + "2"});
  EXPECT_EQ(report.at("left_out"), json::value({"Customers", "orders"}));
  EXPECT_EQ(report.at("tables").at("tasks"), 1);
  EXPECT_EQ(seedcore_.Json({"store", "check", dsn}).at("sound"), true);
}

TEST_F(StoreCommand, UpStartsOnACopyAsTheLastLineSays) {
  EXPECT_EQ(seedcore_.Run({"store", "migrate", data_}).code, 0);
  const std::string folder = (seedcore_.folder() / "new" / "my copy").string();
  const Outcome copied = seedcore_.Run({"store", "copy", data_, folder});
  EXPECT_EQ(copied.code, 0) << copied.err;
  EXPECT_TRUE(copied.out.ends_with(fmt::format("\nstart on the copy: seedcore up --data-dir '{}'\n", folder)))
      << copied.out;
  EXPECT_EQ(std::filesystem::status(folder).permissions(), std::filesystem::perms::owner_all);
  {
    const auto up =
        seedcore_.Start({"up", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--data-dir", folder});
    EXPECT_NE(up->AwaitLine("ready"), "") << up->err();
  }
  const json::value file = seedcore_.Json({"store", "copy", data_, folder + ".db"});
  EXPECT_EQ(std::string(file.at("destination").as_string()), folder + ".db");
  EXPECT_EQ(std::string(file.at("start").as_string()),
            fmt::format("mkdir DIR && mv '{}.db' DIR/seedcore.db && seedcore up --data-dir DIR", folder));
  const json::value database = seedcore_.Json({"store", "copy", data_, Dsn("cli_start")});
  EXPECT_EQ(database.at("start"), "SEEDCORE_PG_DSN=DST seedcore up");
}

TEST_F(StoreCommand, ARefusedCopyLeavesNothingBehind) {
  const std::string dsn = Dsn("cli_refused"), empty = Dsn("cli_untouched");
  EXPECT_EQ(seedcore_.Run({"store", "migrate", dsn}).code, 0);
  server_.Execute("cli_refused",
                  "ALTER TABLE facts ADD COLUMN color text; INSERT INTO facts (id, text, tags, meta_data, "
                  "created_at, updated_at) VALUES (gen_random_uuid(), '', '{}', '{}', now(), now())");
  const auto new_folder = seedcore_.folder() / "new";
  for (const std::string& to : {(new_folder / "data").string(), (seedcore_.folder() / "x.db").string(), empty}) {
    const Outcome outcome = seedcore_.Run({"store", "copy", dsn, to});
    EXPECT_EQ(outcome.code, 6);
    EXPECT_TRUE(
        Contains(outcome.err, "the table facts has 1 rows and another shape than SeedCore's: more columns: color"))
        << outcome.err;
    EXPECT_FALSE(Contains(outcome.err, "--resume")) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(new_folder));
  EXPECT_FALSE(std::filesystem::exists(seedcore_.folder() / "x.db"));
  EXPECT_FALSE(std::filesystem::exists(seedcore_.folder() / "x.db.lock"));
  EXPECT_EQ(seedcore_.Run({"store", "check", empty}).code, 3) << "no store has been made";
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
