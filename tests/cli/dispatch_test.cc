// Dispatchers in processes of their own, beside a platform that executes nothing itself.
#include <csignal>
#include <regex>
#include <utility>

#include "program.h"

namespace seedcore::test {
namespace {

/// `up` without a dispatcher on a shared folder, and a program that knows where its API and its services are.
class Dispatch : public testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::string> arguments = UpArguments(program_.folder());
    arguments.insert(arguments.end(), {"--dispatch-elsewhere", "--store-shared"});
    up_ = program_.Start(arguments);
    const std::string ready = up_->AwaitLine("ready");
    std::smatch match;
    ASSERT_TRUE(std::regex_search(ready, match, std::regex(R"(services=(\S+) api=(\S+))"))) << up_->err();
    program_.Set("SERVE_GATEWAY", match[1]);
    program_.Set("SEEDCORE_API", match[2]);
  }
  std::unique_ptr<Process> Start(std::vector<std::string> more) {
    more.insert(more.begin(), {"dispatch", "--data-dir", (program_.folder() / "data").string()});
    return program_.Start(more);
  }
  json::value Submit() { return program_.Json({"submit", "general_query", "--description", "6 * 7", "--wait"}); }

  Program program_;
  std::unique_ptr<Process> up_;
};

TEST_F(Dispatch, OneReadyLineThenTasksAreExecutedUntilSigterm) {
  const auto dispatcher = Start({"--name", "east", "--concurrency", "3"});
  const std::string ready = dispatcher->AwaitLine("ready");
  EXPECT_TRUE(std::regex_match(
      ready, std::regex(R"(ready role=queue name=east store=\S+/seedcore\.db services=http://127\.0\.0\.1:\d+)")))
      << "'" << ready << "', standard error: " << dispatcher->err();
  EXPECT_EQ(Submit().at("status"), "completed");
  dispatcher->Signal(SIGTERM);
  EXPECT_EQ(dispatcher->Wait(), 0) << dispatcher->err();
  EXPECT_EQ(dispatcher->out(), ready + "\n");
}

TEST_F(Dispatch, TheNextDispatcherGoesOnWhereOneWasKilled) {
  const auto first = Start({});
  ASSERT_NE(first->AwaitLine("ready"), "") << first->err();
  const auto second = Start({});
  ASSERT_NE(second->AwaitLine("ready"), "") << second->err();
  EXPECT_EQ(Submit().at("status"), "completed");
  first->Signal(SIGKILL);
  first->Wait();
  EXPECT_EQ(Submit().at("status"), "completed");
}

TEST_F(Dispatch, ThoseWhoRunAreListedCheckedAndDrainedAtTheirOwnListeners) {
  const std::vector<std::string> list{"dispatchers", "--data-dir", (program_.folder() / "data").string()};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), list.begin(), list.end());
    return more;
  };
  const Outcome nobody = program_.Run(list);
  EXPECT_EQ(nobody.code, 3) << nobody.err;
  EXPECT_TRUE(Contains(nobody.err, "no dispatcher is registered in this store")) << nobody.err;

  const auto east = Start({"--name", "east"});
  ASSERT_NE(east->AwaitLine("ready"), "") << east->err();
  const auto reaper = Start({"--name", "west", "--role", "reaper"});
  ASSERT_NE(reaper->AwaitLine("ready"), "") << reaper->err();
  const Outcome plain = program_.Run(list);
  EXPECT_TRUE(std::regex_search(plain.out, std::regex(R"(east +queue +running +127\.0\.0\.1:\d+ +0/\d+ in flight)")))
      << plain.out << plain.err;
  EXPECT_TRUE(std::regex_search(plain.out, std::regex(R"(west +reaper +running)"))) << plain.out;
  const json::value checked = program_.Json(with({"west", "--check", "2"}));
  ASSERT_EQ(checked.as_array().size(), 2U);
  EXPECT_EQ(checked.as_array()[0].at("status"), "completed");

  EXPECT_EQ(program_.Run(with({"--drain"})).code, 2) << "all of them at once";
  const json::value drained = program_.Json(with({"east", "--drain"}));
  EXPECT_EQ(drained.as_array()[0].at("state"), "stopped");
  EXPECT_EQ(program_.Run(with({"east"})).code, 3) << "who has drained is off the list";
}

TEST_F(Dispatch, AReaperSaysThatItIsOne) {
  const auto reaper = Start({"--role", "reaper", "--json"});
  const std::string ready = reaper->AwaitLine("{");
  EXPECT_TRUE(Contains(ready, "\"role\":\"reaper\"")) << ready << reaper->err();
}

TEST(DispatchUsage, WhatCannotRunIsRefusedInOneLine) {
  const Program program;
  for (const auto& [arguments, part] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--role", "graph", "--types", "general_query"}, "known types: graph_embed"},
           {{"--concurrency", "0"}, "expected 1 to 1024"},
           {{"--concurrency", "many"}, "expected a whole number"}}) {
    std::vector<std::string> all{"dispatch", "--data-dir", program.folder().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Outcome outcome = program.Run(all);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(Contains(outcome.err, part)) << outcome.err;
    EXPECT_EQ(Lines(outcome.err), 1U) << outcome.err;
  }
}

TEST(DispatchUsage, ABootstrapWithoutAClusterSaysSo) {
  Program program;
  program.Set("SEEDCORE_RAY_CONNECT_TIMEOUT_S", "0");
  const Outcome outcome = program.Run({"bootstrap", "--address", "127.0.0.1:9"});
  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_EQ(Lines(outcome.err), 1U) << outcome.err;
}

}  // namespace
}  // namespace seedcore::test
