// Start, ready line, signals, and what stops a start.
#include <chrono>
#include <csignal>
#include <regex>

#include "base/metrics.h"
#include "program.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::test {
namespace {

/// The lines that are for the person who typed the command; log lines begin with a time.
std::size_t Complaints(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("seedcore: "); at != std::string::npos; at = text.find("seedcore: ", at + 1)) {
    if (at == 0 || text[at - 1] == '\n') ++count;
  }
  return count;
}

TEST(Up, PrintsOneReadyLineWithAddressesAndStartTimeAndEndsWellOnSigterm) {
  Program program;
  const auto up = program.Start(UpArguments(program.folder()));
  const std::string ready = up->AwaitLine("ready");
  EXPECT_TRUE(std::regex_match(
      ready, std::regex(R"(ready services=http://127\.0\.0\.1:\d+ api=http://127\.0\.0\.1:\d+ start_ms=\d+)")))
      << "'" << ready << "', standard error: " << up->err();
  up->Signal(SIGTERM);
  EXPECT_EQ(up->Wait(), 0) << up->err();
  EXPECT_EQ(up->out(), ready + "\n") << "standard output is for the ready line alone";
}

TEST(Up, EndsWellOnCtrlC) {
  Program program;
  const auto up = program.Start(UpArguments(program.folder()));
  ASSERT_NE(up->AwaitLine("ready"), "") << up->err();
  up->Signal(SIGINT);
  EXPECT_EQ(up->Wait(), 0) << up->err();
}

TEST(Up, KeepsItsDataBelowTheHomeDirectoryByDefault) {
  Program program;
  const auto up = program.Start({"up", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"});
  ASSERT_NE(up->AwaitLine("ready"), "") << up->err();
  const auto data = program.folder() / ".local/share/seedcore";
  EXPECT_TRUE(std::filesystem::exists(data));
  EXPECT_EQ(std::filesystem::status(data).permissions(), std::filesystem::perms::owner_all);
}

TEST(Up, TasksSurviveASigtermAndASecondStart) {
  Program program;
  std::string id;
  for (int start = 0; start < 2; ++start) {
    const auto up = StartUp(program);
    if (start == 0) {
      id = program.Json({"submit", "general_query", "--description", "6 * 7", "--wait"}).at("id").as_string();
    } else {
      EXPECT_EQ(program.Json({"task", id}).at("status"), "completed");
    }
    up->Signal(SIGTERM);
    ASSERT_EQ(up->Wait(), 0) << up->err();
  }
}

TEST(Up, AMachineWithoutATimeZoneDatabaseGoesOnWithWhatNeedsNone) {
  Program program;
  {
    const auto up = StartUp(program);
    program.Json({"schedules", "put", "berlin", "--cron", "0 0 1 1 *", "--time-zone", "Europe/Berlin", "--type",
                  "health_check"});
    program.Json({"schedules", "put", "often", "--every", "3600", "--type", "health_check"});
    up->Signal(SIGTERM);
    up->Wait();
  }
  {
    // Both are due when it comes up again.
    Metrics metrics;
    const std::string file = (program.folder() / "data/seedcore.db").string();
    const auto store = store::sqlite::OpenSqliteStore({.path = file}, RealEnv(), metrics);
    ASSERT_TRUE(store) << ToString(store.error());
    for (const char* name : {"berlin", "often"}) {
      ASSERT_TRUE((*store)->schedules().MoveSchedule(name, RealEnv().WallNow() - std::chrono::seconds(1)));
    }
  }
  std::filesystem::create_directory(program.folder() / "no zones");
  program.Set("TZDIR", (program.folder() / "no zones").string());
  const auto up = StartUp(program);

  const auto was_fired = [&](const char* name) {
    const json::value schedule = program.Json({"schedules", "show", name});
    const json::value* task = schedule.as_object().if_contains("last_task_id");
    return task != nullptr && task->is_string() && !task->as_string().empty();
  };
  const Instant give_up = RealEnv().Now() + std::chrono::seconds(30);  // of a test that fails
  while (!was_fired("often") && RealEnv().Now() < give_up) {
  }
  EXPECT_TRUE(was_fired("often"));
  EXPECT_FALSE(was_fired("berlin"));

  const Outcome refused = program.Run(
      {"schedules", "put", "paris", "--cron", "0 6 * * *", "--time-zone", "Europe/Paris", "--type", "health_check"});
  EXPECT_NE(refused.code, 0);
  EXPECT_TRUE(Contains(refused.err,
                       "this machine has no time zone database, so 'Europe/Paris' is not known; install "
                       "tzdata, or use UTC"))
      << refused.err;
  EXPECT_EQ(Lines(refused.err), 1U) << refused.err;
  // Each schedule that is put makes the scheduler look again, at the one that it cannot fire, too.
  for (const char* name : {"a", "b", "c"}) {
    program.Json({"schedules", "put", name, "--cron", "0 6 * * *", "--type", "health_check"});
  }
  EXPECT_EQ(program.Json({"submit", "general_query", "--description", "6 * 7", "--wait"}).at("status"), "completed");
  up->Signal(SIGTERM);
  EXPECT_EQ(up->Wait(), 0) << up->err();
  const std::string log = up->err();
  const std::size_t said = log.find("a schedule cannot be fired here");
  EXPECT_NE(said, std::string::npos) << log;
  EXPECT_EQ(log.find("a schedule cannot be fired here", said + 1), std::string::npos) << log;
}

TEST(Up, SighupReadsTheRulesAgain) {
  Program rules;
  const std::string before = "routing: [{when: 'true', do: fast_path}]\nmutations_enabled: false\n";
  std::string after = "routing: [{when: 'true', do: hold}]\nmutations_enabled: false\n";
  after.resize(before.size(), '\n');
  const auto file = rules.Write("rules.yaml", before);
  Served served({}, {{"PREDICATES_CONFIG_PATH", file.string()}, {"LOG_LEVEL", "info"}});
  // Of the same size and age as the one before, put in its place in one step: the watch of the file does not see it.
  const auto replacement = rules.Write("replacement.yaml", after);
  std::filesystem::last_write_time(replacement, std::filesystem::last_write_time(file));
  std::filesystem::rename(replacement, file);
  served.up().Signal(SIGHUP);
  const auto task = [&] {
    return served.program.Json({"submit", "general_query", "--description", "1 + 1", "--wait"});
  };
  // The signal is taken by a thread of its own: some tasks may still find the old rules.
  json::value last;
  for (int i = 0; i < 1000; ++i) {
    last = task();
    if (!last.at("hold_reason").is_null()) break;
  }
  EXPECT_FALSE(last.at("hold_reason").is_null()) << WriteJson(last);
}

TEST(Up, ASecondProcessOnTheSameDataGetsOneClearError) {
  Served served;
  const Outcome second = served.program.Run(UpArguments(served.program.folder()));
  EXPECT_EQ(second.code, 1) << second.err;
  EXPECT_EQ(Complaints(second.err), 1U) << second.err;
  EXPECT_TRUE(Contains(second.err, (served.program.folder() / "data").string())) << second.err;
  EXPECT_EQ(second.out, "");
  EXPECT_EQ(served.program.Json({"health"}).at("tasks").at("status"), "ready") << "the first goes on";
}

TEST(Up, APortThatIsTakenGetsOneClearError) {
  Served served;
  const std::string taken = served.api_url().substr(std::string("http://").size());
  Program other;
  const Outcome second = other.Run({"up", "--listen", "127.0.0.1:0", "--api-listen", taken});
  EXPECT_EQ(second.code, 1) << second.err;
  EXPECT_EQ(Complaints(second.err), 1U) << second.err;
  EXPECT_TRUE(Contains(second.err, taken)) << second.err;
}

TEST(Up, AWrongSettingStopsItWithOneLineThatNamesSourceAndRange) {
  Program program;
  const std::vector<std::string> up = UpArguments(program.folder());
  program.Set("DISPATCHER_CONCURRENCY", "many");
  Outcome outcome = program.Run(up);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(Complaints(outcome.err), 1U) << outcome.err;
  EXPECT_TRUE(Contains(outcome.err, "DISPATCHER_CONCURRENCY") && Contains(outcome.err, "many")) << outcome.err;

  program.Set("DISPATCHER_CONCURRENCY", "5000");
  outcome = program.Run(up);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(Contains(outcome.err, "1024")) << "the range is named: " << outcome.err;

  program.Set("DISPATCHER_CONCURRENCY", "4");
  outcome = program.Run({"up", "--listen", "nowhere"});
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  EXPECT_TRUE(Contains(outcome.err, "--listen")) << outcome.err;
}

TEST(Up, AnAddressThatOthersReachNeedsTokens) {
  Program program;
  std::vector<std::string> up = {"up", "--listen", "0.0.0.0:0", "--api-listen", "127.0.0.1:0"};
  const Outcome refused = program.Run(up);
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_EQ(Complaints(refused.err), 1U) << refused.err;
  EXPECT_TRUE(Contains(refused.err, "SEEDCORE_API_TOKENS") && Contains(refused.err, "--insecure-no-auth"))
      << refused.err;
}

TEST(Up, ADataDirectoryThatCannotBeMadeIsNamed) {
  Program program;
  const auto file = program.Write("file", "not a folder");
  const Outcome refused = program.Run(
      {"up", "--data-dir", (file / "data").string(), "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"});
  EXPECT_EQ(refused.code, 1) << refused.err;
  EXPECT_EQ(Complaints(refused.err), 1U) << refused.err;
  EXPECT_TRUE(Contains(refused.err, file.string())) << refused.err;
}

}  // namespace
}  // namespace seedcore::test
