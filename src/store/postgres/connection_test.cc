#include "store/postgres/connection.h"

#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "store/conformance.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kNote[] = "INSERT INTO noted (by, transaction) VALUES ($1, txid_current())";
constexpr char kFails[] = "SELECT 1 / 0";
constexpr char kCount[] = "SELECT count(*), count(DISTINCT transaction) FROM noted";

class PostgresConnection : public testing::Test {
 protected:
  PostgresConnection() {
    TestServer& server = TestServer::Shared();
    server.CreateDatabase("connection");
    connection_ = Must(Connection::Open({.dsn = server.Dsn("connection"), .setup = {}}));
    Must(connection_->Script("CREATE TABLE noted (by TEXT, transaction BIGINT)"));
  }
  static Call Note(std::string_view by) { return {kNote, MakeParams(by)}; }
  /// Rows, and transactions that wrote them.
  std::pair<int, int> Noted() {
    const Rows rows = Must(connection_->Query(kCount));
    return {static_cast<int>(rows.Int(0, 0)), static_cast<int>(rows.Int(0, 1))};
  }

  std::unique_ptr<Connection> connection_;
};

TEST_F(PostgresConnection, WhatIsSentBehindIsATransactionOfItsOwn) {
  connection_->SendBeside(Note("behind"), Connection::Beside::kBehind);
  EXPECT_EQ(Must(connection_->Query(kNote, std::string_view("before"))).changed(), 1);
  EXPECT_FALSE(connection_->TakeBackBeside()) << "it has gone";
  EXPECT_TRUE(connection_->IsUsable());
  EXPECT_FALSE(connection_->InTransaction());
  EXPECT_EQ(Noted(), std::pair(2, 2));
}

TEST_F(PostgresConnection, WhatIsSentBehindAPipelineFollowsIt) {
  const std::array calls = {Note("one"), Note("two")};
  for (int round = 1; round <= 20; ++round) {
    connection_->SendBeside(Note("behind"), Connection::Beside::kBehind);
    EXPECT_EQ(Must(connection_->Pipeline(calls)).size(), 2u);
    EXPECT_TRUE(connection_->IsUsable());
  }
  EXPECT_EQ(Noted(), std::pair(60, 40));
}

TEST_F(PostgresConnection, WhatIsSentAheadIsATransactionOfItsOwn) {
  for (int round = 1; round <= 20; ++round) {
    connection_->SendBeside(Note("ahead"), Connection::Beside::kAhead);
    EXPECT_EQ(Must(connection_->Query(kNote, std::string_view("after"))).changed(), 1);
    EXPECT_FALSE(connection_->TakeBackBeside()) << "it has gone";
    EXPECT_FALSE(connection_->InTransaction());
    EXPECT_TRUE(connection_->IsUsable());
  }
  connection_->SendBeside({kFails, {}}, Connection::Beside::kAhead);
  EXPECT_TRUE(connection_->Query(kNote, std::string_view("after")));
  connection_->SendBeside(Note("ahead"), Connection::Beside::kAhead);
  EXPECT_FALSE(connection_->Query(kFails)) << "it is no answer to this";
  EXPECT_EQ(Noted(), std::pair(42, 42));
}

TEST_F(PostgresConnection, AnErrorOfEitherIsNoErrorOfTheOther) {
  connection_->SendBeside(Note("behind"), Connection::Beside::kBehind);
  EXPECT_FALSE(connection_->Query(kFails));
  EXPECT_EQ(Noted(), std::pair(1, 1));
  connection_->SendBeside({kFails, {}}, Connection::Beside::kBehind);
  EXPECT_TRUE(connection_->Query(kNote, std::string_view("before")));
  EXPECT_EQ(Noted(), std::pair(2, 2));
  EXPECT_TRUE(connection_->IsUsable());
}

TEST_F(PostgresConnection, WhatHasNotBeenSentCanBeTakenBack) {
  connection_->SendBeside(Note("behind"), Connection::Beside::kBehind);
  EXPECT_TRUE(connection_->TakeBackBeside());
  EXPECT_FALSE(connection_->TakeBackBeside());
  EXPECT_EQ(Noted(), std::pair(0, 0));
}

TEST_F(PostgresConnection, APipelineOfManyStatementsIsAnsweredWhole) {
  std::vector<Call> calls;
  for (int i = 0; i < 1'000; ++i) calls.push_back(Note(fmt::format("{}", i)));
  EXPECT_EQ(Must(connection_->Pipeline(calls)).size(), calls.size());
  EXPECT_EQ(Noted(), std::pair(1'000, 1));
}

}  // namespace
}  // namespace seedcore::store::postgres
