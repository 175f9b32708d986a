// The commands that talk to a running platform: what they print and what they exit with.
#include <csignal>

#include "base/metrics.h"
#include "program.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::test {
namespace {

TEST(Client, EveryCommandPrintsJsonForScripts) {
  Served served;
  Program& seedcore = served.program;
  const json::value task = seedcore.Json({"submit", "general_query", "--description", "6 * 7", "--wait"});
  const std::string id(task.at("id").as_string());
  EXPECT_EQ(task.at("status"), "completed");
  EXPECT_TRUE(Contains(WriteJson(seedcore.Json({"ask", "what", "is", "6", "*", "7?"})), "42"));
  EXPECT_EQ(seedcore.Json({"tasks"}).at("items").as_array().size(), 2U);
  EXPECT_EQ(seedcore.Json({"tasks", "--status", "failed", "--since", "24h"}).at("items").as_array().size(), 0U);
  EXPECT_FALSE(seedcore.Json({"task", id}).at("history").at("events").as_array().empty());
  EXPECT_EQ(seedcore.Json({"retry", "--dead"}).at("requeued"), 0);

  const json::value held = seedcore.Json({"submit", "health_check", "--hold", "--params", R"({"a":1})"});
  EXPECT_EQ(held.at("status"), "created");
  EXPECT_EQ(seedcore.Json({"cancel", std::string(held.at("id").as_string())}).at("status"), "cancelled");
  EXPECT_EQ(seedcore.Json({"retry", std::string(held.at("id").as_string())}).at("id"), held.at("id"));

  const json::value fact = seedcore.Json({"facts", "add", "the", "sky", "is", "blue", "--tag", "sky"});
  EXPECT_EQ(seedcore.Json({"facts", "list", "sky"}).at("items").as_array().size(), 1U);
  EXPECT_EQ(seedcore.Json({"facts", "delete", std::string(fact.at("id").as_string())}).at("deleted"), fact.at("id"));
  EXPECT_EQ(seedcore.Json({"health"}).as_object().size(), 7U);
  EXPECT_TRUE(seedcore.Json({"status"}).at("tasks").at("completed").is_int64());
}

TEST(Client, SchedulesArePutListedPausedRunAndDeleted) {
  Served served;
  Program& seedcore = served.program;
  const json::value put = seedcore.Json({"schedules", "put", "nightly", "--cron", "30 2 * * *", "--time-zone",
                                         "Europe/Berlin", "--type", "health_check", "--params", R"({"a": 1})",
                                         "--catch-up", "all", "--max-catch-up", "3", "--overlap", "skip"});
  EXPECT_EQ(put.at("name"), "nightly");
  EXPECT_EQ(put.at("time_zone"), "Europe/Berlin");
  EXPECT_EQ(put.at("task").at("params"), (json::object{{"a", 1}}));
  EXPECT_EQ(put.at("max_catch_up"), 3);
  EXPECT_EQ(seedcore.Json({"schedules", "put", "pulse", "--every", "90", "--type", "health_check"}).at("every_s"),
            90.0);
  const Outcome listed = seedcore.Run({"schedules"});
  EXPECT_TRUE(Contains(listed.out, "30 2 * * * (Europe/Berlin)") && Contains(listed.out, "every 90 s")) << listed.out;
  EXPECT_EQ(seedcore.Json({"schedules", "next", "nightly", "--count", "4"}).at("times").as_array().size(), 4U);
  EXPECT_EQ(Lines(seedcore.Run({"schedules", "next", "nightly"}).out), 10U);
  EXPECT_EQ(seedcore.Json({"schedules", "pause", "nightly"}).at("paused"), true);
  EXPECT_TRUE(Contains(seedcore.Run({"schedules", "show", "nightly"}).out, "paused"));
  EXPECT_EQ(seedcore.Json({"schedules", "resume", "nightly"}).at("paused"), false);
  EXPECT_EQ(seedcore.Json({"schedules", "run", "nightly"}).at("type"), "health_check");
  EXPECT_EQ(seedcore.Run({"schedules", "delete", "nightly"}).code, 0);
  EXPECT_EQ(seedcore.Run({"schedules", "show", "nightly"}).code, 3);

  EXPECT_EQ(seedcore.Run({"schedules", "pause"}).code, 2);
  EXPECT_EQ(seedcore.Run({"schedules", "put", "x", "--type", "health_check"}).code, 2);
  const Outcome refused = seedcore.Run({"schedules", "put", "x", "--cron", "0 0 30 2 *", "--type", "health_check"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(Contains(refused.err, "no date ever matches")) << refused.err;
}

TEST(Client, QueuesArePausedLimitedAndListedWithTheLimitsOfKeys) {
  Served served;
  Program& seedcore = served.program;
  EXPECT_TRUE(Contains(seedcore.Run({"queues"}).out, "nothing waits or runs"));
  EXPECT_TRUE(Contains(seedcore.Run({"queues", "pause", "resize", "--reason", "disk swap"}).out, "paused: disk swap"));
  EXPECT_TRUE(Contains(
      seedcore
          .Run({"queues", "limit", "resize", "--max-running", "4", "--rate", "60", "--interval", "30", "--burst", "10"})
          .out,
      "type resize  at most 4 running  60 per 30 s, 10 at once"));
  EXPECT_EQ(seedcore.Json({"queues", "limit", "*", "--key", "--max-running", "1"}).at("scope"), "key");
  const Outcome listed = seedcore.Run({"queues"});
  EXPECT_TRUE(Contains(listed.out, "paused: disk swap") && Contains(listed.out, "at most 4 running")) << listed.out;
  EXPECT_TRUE(Contains(listed.out, "key *  at most 1 running")) << listed.out;
  EXPECT_EQ(seedcore.Json({"queues"}).at("key_limits").as_array().size(), 1U);
  EXPECT_EQ(seedcore.Run({"queues", "unlimit", "*", "--key"}).code, 0);
  EXPECT_EQ(seedcore.Run({"queues", "unlimit", "*", "--key"}).code, 3);
  EXPECT_FALSE(Contains(seedcore.Run({"queues", "resume", "resize"}).out, "paused"));
  const Outcome misspelled = seedcore.Run({"queues", "pause", "health_chekc"});
  EXPECT_EQ(misspelled.code, 0) << "it may come yet";
  EXPECT_TRUE(Contains(misspelled.err, "no task of type 'health_chekc' is known")) << misspelled.err;
  seedcore.Json({"submit", "health_check"});
  EXPECT_EQ(seedcore.Run({"queues", "pause", "health_check"}).err, "");
  EXPECT_TRUE(Contains(seedcore.Run({"queues", "external", "*"}).out, "left to workers outside"));
  EXPECT_TRUE(Contains(seedcore.Run({"queues"}).out, "left to workers outside"));
  EXPECT_FALSE(Contains(seedcore.Run({"queues", "embedded", "*"}).out, "left to workers outside"));
  EXPECT_EQ(seedcore.Run({"queues", "external"}).code, 2);
}

TEST(Client, WithoutATerminalNothingIsColoredAndOnOneItIs) {
  Served served;
  Program& seedcore = served.program;
  const std::string id(
      seedcore.Json({"submit", "general_query", "--description", "6 * 7", "--wait"}).at("id").as_string());
  seedcore.Json({"facts", "add", "a fact", "--tag", "t"});
  const std::vector<std::vector<std::string>> commands = {{"tasks"}, {"task", id}, {"health"}, {"status"}, {"facts"}};
  for (const auto& command : commands) {
    const Outcome plain = seedcore.Run(command);
    EXPECT_EQ(plain.code, 0) << plain.err;
    EXPECT_NE(plain.out, "");
    EXPECT_FALSE(Contains(plain.out + plain.err, "\x1b")) << command.front() << ": " << plain.out;
    EXPECT_TRUE(Contains(seedcore.RunOnTerminal(command).out, "\x1b[")) << command.front();
  }
  seedcore.Set("NO_COLOR", "1");
  for (const auto& command : commands) {
    EXPECT_FALSE(Contains(seedcore.RunOnTerminal(command).out, "\x1b[")) << command.front();
  }
}

TEST(Client, ExitCodesTellWhatHappened) {
  Served served;
  Program& seedcore = served.program;
  const Outcome failed = seedcore.Run({"submit", "make_coffee", "--wait"});
  EXPECT_EQ(failed.code, 1) << failed.out << failed.err;
  EXPECT_TRUE(Contains(failed.out, "general_query")) << "the known types are named: " << failed.out;
  EXPECT_EQ(seedcore.Run({"ask", "why?"}).code, 1) << "a question that no tool can answer";

  EXPECT_EQ(seedcore.Run({"task", "ffffffff"}).code, 3);
  EXPECT_EQ(seedcore.Run({"cancel", "ffffffff"}).code, 3);
  EXPECT_EQ(seedcore.Run({"cancel", "no/such task?"}).code, 2) << "an id is no path";
  EXPECT_EQ(seedcore.Run({"cancel", "ffffffff", "eeeeeeee"}).code, 2) << "one at a time, none silently left out";
  EXPECT_EQ(seedcore.Run({"facts", "delete", "ffffffff"}).code, 3);

  const Outcome late = seedcore.Run({"submit", "health_check", "--hold", "--wait", "--wait-s", "0"});
  EXPECT_EQ(late.code, 5) << late.out << late.err;
  EXPECT_TRUE(Contains(late.err, "seedcore task")) << "what to do next: " << late.err;

  const std::string id(
      seedcore.Json({"submit", "general_query", "--description", "1", "--key", "k"}).at("id").as_string());
  EXPECT_EQ(seedcore.Run({"submit", "general_query", "--description", "2", "--key", "k"}).code, 6);
  EXPECT_EQ(seedcore.Run({"submit", "a b"}).code, 2);
  EXPECT_EQ(seedcore.Run({"submit", "a", "--params", "{"}).code, 2);
  EXPECT_EQ(seedcore.Run({"submit", "a", "--params", "@no-such-file"}).code, 3);
  EXPECT_EQ(seedcore.Run({"submit", "a", "--priority", "high"}).code, 2);
  EXPECT_EQ(seedcore.Run({"tasks", "--since", "yesterday"}).code, 2);
  EXPECT_EQ(seedcore.Run({"tasks", "--status", "finished"}).code, 2);
}

TEST(Client, RetryAndCancelOfATaskThatHasEndedOtherwiseSaySo) {
  Served served;
  Program& seedcore = served.program;
  const std::string completed(
      seedcore.Json({"submit", "general_query", "--description", "6 * 7", "--wait"}).at("id").as_string());
  const Outcome retried = seedcore.Run({"retry", completed});
  EXPECT_EQ(retried.code, 6) << retried.out;
  EXPECT_TRUE(Contains(retried.err, completed + " is completed: there is nothing to retry")) << retried.err;
  EXPECT_EQ(retried.out, "");
  const Outcome too_late = seedcore.Run({"cancel", completed, "--json"});
  EXPECT_EQ(too_late.code, 6) << too_late.out;
  EXPECT_TRUE(Contains(too_late.err, "has completed before it could be cancelled")) << too_late.err;

  const std::string failed(seedcore.Json({"submit", "make_coffee", "--wait"}, 1).at("id").as_string());
  EXPECT_EQ(seedcore.Run({"cancel", failed}).code, 6);
  const std::string held(seedcore.Json({"submit", "health_check", "--hold"}).at("id").as_string());
  EXPECT_EQ(seedcore.Run({"cancel", held}).code, 0);
  EXPECT_EQ(seedcore.Run({"cancel", held}).code, 0) << "it is as was asked for";
  EXPECT_EQ(seedcore.Run({"retry", failed}).code, 0);
}

TEST(Client, RetryTakesATaskOrTheDeadLetters) {
  Program seedcore;
  EXPECT_EQ(seedcore.Run({"retry"}).code, 2);
  EXPECT_EQ(seedcore.Run({"retry", "ffffffff", "--dead"}).code, 2) << "neither is silently left out";
  EXPECT_EQ(seedcore.Run({"retry", "ffffffff", "--type", "health_check"}).code, 2);
}

/// Stores so many tasks of this type that have failed for good.
void StoreDeadLetters(const std::string& file, const std::string& type, int count) {
  Metrics metrics;
  const auto store = store::sqlite::OpenSqliteStore({.path = file}, RealEnv(), metrics);
  ASSERT_TRUE(store) << ToString(store.error());
  const std::vector<store::NewTask> tasks(static_cast<std::size_t>(count), {.type = type});
  ASSERT_TRUE((*store)->tasks().Submit(tasks));
  const auto claims = (*store)->tasks().ClaimTasks({.owner_id = "test", .limit = count});
  ASSERT_TRUE(claims);
  std::vector<store::Finish> finishes;
  for (const auto& claim : *claims) {
    finishes.push_back({claim.lease(), store::FailedForGood{{ErrorCode::kNonRetryable, "no beans", {}}, {}}, {}});
  }
  ASSERT_TRUE((*store)->tasks().FinishTasks(finishes));
}

TEST(Client, RetryOfTheDeadLettersTakesThemAll) {
  Program seedcore;
  std::filesystem::create_directory(seedcore.folder() / "data");
  constexpr int kDead = 2'100;  // the server takes a thousand at a time
  StoreDeadLetters((seedcore.folder() / "data/seedcore.db").string(), "make_coffee", kDead);
  seedcore.Set("SEEDCORE_EXTERNAL_TYPES", "make_coffee");  // nobody claims them
  const auto up = StartUp(seedcore);
  EXPECT_EQ(seedcore.Json({"retry", "--dead", "--type", "health_check"}).at("requeued"), 0);
  EXPECT_EQ(seedcore.Json({"retry", "--dead"}).at("requeued"), kDead);
  EXPECT_EQ(seedcore.Json({"status"}).at("dead_letters"), 0);
  up->Signal(SIGTERM);
  EXPECT_EQ(up->Wait(), 0) << up->err();
}

TEST(Client, RulesArePutSeenRevertedAndWithdrawn) {
  Served served;
  Program& seedcore = served.program;
  const std::string hold = seedcore.Write("hold.yaml", "routing: [{when: '1', do: hold}]\nmutations_enabled: false\n");
  const std::string fast =
      seedcore.Write("fast.yaml", "routing: [{when: '1', do: fast_path}]\nmutations_enabled: false\n");
  const std::string bad = seedcore.Write("bad.yaml", "routing:\n  - {when: '1', do: dance}\n");
  EXPECT_EQ(seedcore.Run({"rules", "check", hold}).code, 0);
  const Outcome refused = seedcore.Run({"rules", "check", bad});
  EXPECT_NE(refused.code, 0);
  EXPECT_TRUE(Contains(refused.err, "bad.yaml:2")) << refused.err;

  EXPECT_TRUE(Contains(seedcore.Run({"rules", "status"}).out, "built-in"));
  EXPECT_EQ(seedcore.Json({"rules", "put", hold, "--note", "first", "--expect", "0"}).at("version"), 1);
  EXPECT_EQ(seedcore.Json({"rules", "put", fast}).at("version"), 2);
  EXPECT_NE(seedcore.Run({"rules", "put", hold, "--expect", "1"}).code, 0) << "version 2 has not been seen";
  EXPECT_NE(seedcore.Run({"rules", "put", bad}).code, 0);
  EXPECT_EQ(seedcore.Run({"rules", "show", "1"}).out, "routing: [{when: '1', do: hold}]\nmutations_enabled: false\n");
  EXPECT_EQ(seedcore.Json({"rules", "revert", "1"}).at("note"), "as version 1");
  EXPECT_TRUE(Contains(seedcore.Run({"rules", "status"}).out, "store, version 3"));
  EXPECT_EQ(seedcore.Json({"rules", "withdraw", "--note", "done & over"}).at("withdrawn"), true);
  EXPECT_TRUE(Contains(seedcore.Run({"rules", "status"}).out, "built-in"));
  EXPECT_NE(seedcore.Run({"rules", "revert", "4"}).code, 0);
  const Outcome versions = seedcore.Run({"rules", "versions"});
  EXPECT_EQ(Lines(versions.out), 4U);
  EXPECT_TRUE(Contains(versions.out, "done & over")) << versions.out;
}

TEST(Client, WithoutAServerTheCodeAndTheHintSaySo) {
  Program seedcore;
  // Port 1 is nobody's.
  seedcore.Set("SEEDCORE_API", "http://127.0.0.1:1");
  seedcore.Set("SERVE_GATEWAY", "http://127.0.0.1:1");
  for (const std::vector<std::string>& command : {std::vector<std::string>{"tasks"},
                                                  {"submit", "health_check"},
                                                  {"task", "0000"},
                                                  {"health"},
                                                  {"status"},
                                                  {"facts"}}) {
    const Outcome outcome = seedcore.Run(command);
    EXPECT_EQ(outcome.code, 4) << command.front() << ": " << outcome.err;
    EXPECT_TRUE(Contains(outcome.err, "seedcore up") && Contains(outcome.err, "127.0.0.1:1")) << outcome.err;
    EXPECT_EQ(Lines(outcome.err), 1U) << outcome.err;
  }
}

TEST(Client, ATokenIsNeededWhereOneIsConfigured) {
  Served served({}, {{"SEEDCORE_API_TOKENS", "a-token-of-some-length"}});
  Program& seedcore = served.program;
  EXPECT_EQ(seedcore.Run({"tasks"}).code, 6);
  seedcore.Set("SEEDCORE_API_TOKEN", "another-token");
  EXPECT_EQ(seedcore.Run({"tasks"}).code, 6);
  seedcore.Set("SEEDCORE_API_TOKEN", "a-token-of-some-length");
  EXPECT_EQ(seedcore.Run({"tasks"}).code, 0);
}

TEST(Client, HealthFailsWhenAPartCannotServe) {
  Served served;
  const Outcome good = served.program.Run({"health"});
  EXPECT_EQ(good.code, 0) << good.out;
  served.program.Set("SERVE_GATEWAY", "http://127.0.0.1:1");
  const Outcome half = served.program.Run({"health"});
  EXPECT_EQ(half.code, 1) << half.out;
  EXPECT_TRUE(Contains(half.out, "unreachable")) << half.out;
}

}  // namespace
}  // namespace seedcore::test
