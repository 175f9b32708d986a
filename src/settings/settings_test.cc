#include "settings/settings.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "settings/catalog.h"

namespace seedcore::settings {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Sources With(std::map<std::string, std::string> environment, std::map<std::string, std::string> flags = {}) {
  environment.try_emplace("HOME", "/home/ada");
  return {.file = std::nullopt, .environment = std::move(environment), .flags = std::move(flags)};
}

Sources WithFile(std::string text) {
  Sources sources = With({});
  sources.file = Sources::File{"x.yaml", std::move(text)};
  return sources;
}

TEST(Resolve, DefaultsNeedNothingButAHome) {
  const auto settings = Resolve(With({}));
  ASSERT_TRUE(settings) << ToString(settings.error());
  EXPECT_EQ(settings->server.listen, (HostPort{"127.0.0.1", 8000}));
  EXPECT_EQ(settings->store.data_dir, "/home/ada/.local/share/seedcore");
  EXPECT_EQ(settings->sources.find("server.listen")->second.text, "default");
  EXPECT_THAT(settings->warnings, IsEmpty());
}

TEST(Resolve, FlagWinsOverEnvironmentOverFileOverDefault) {
  Sources sources = WithFile("queue:\n  concurrency: 2\n");
  EXPECT_EQ(Resolve(sources)->queue.concurrency, 2);
  EXPECT_EQ(Resolve(sources)->sources.find("queue.concurrency")->second.text, "file x.yaml line 2");
  sources.environment["DISPATCHER_CONCURRENCY"] = "3";
  EXPECT_EQ(Resolve(sources)->queue.concurrency, 3);
  EXPECT_EQ(Resolve(sources)->sources.find("queue.concurrency")->second.text, "environment DISPATCHER_CONCURRENCY");
  sources.flags["queue-concurrency"] = "4";
  EXPECT_EQ(Resolve(sources)->queue.concurrency, 4);
  EXPECT_EQ(Resolve(sources)->sources.find("queue.concurrency")->second.text, "flag --queue-concurrency");
}

TEST(Resolve, BadValueOfALosingSourceIsStillReported) {
  Sources sources = WithFile("queue.concurrency: many\n");
  sources.flags["queue-concurrency"] = "4";
  EXPECT_FALSE(Resolve(sources));
}

TEST(Resolve, EmptyVariableCountsAsNotSet) {
  EXPECT_EQ(Resolve(With({{"DISPATCHER_CONCURRENCY", " "}}))->queue.concurrency, 16);
}

TEST(Resolve, AliasIsUsedWhenTheFirstNameIsNotSet) {
  const auto settings = Resolve(With({{"PG_DSN", "postgresql://db/x"}}));
  EXPECT_EQ(settings->store.pg_dsn, "postgresql://db/x");
  EXPECT_EQ(settings->sources.find("store.pg_dsn")->second.text, "environment PG_DSN");
}

TEST(Resolve, AliasesThatDifferAreReportedWithoutTheirValues) {
  const auto settings =
      Resolve(With({{"PG_DSN", "postgresql://u:pw1@b"}, {"SEEDCORE_PG_DSN", "postgresql://u:pw2@a"}}));
  EXPECT_EQ(settings->store.pg_dsn, "postgresql://u:pw2@a");
  EXPECT_THAT(
      settings->warnings,
      ElementsAre("SEEDCORE_PG_DSN and PG_DSN are both set and differ; SEEDCORE_PG_DSN counts for store.pg_dsn"));
}

TEST(Resolve, AliasesThatAgreeAreFine) {
  EXPECT_THAT(Resolve(With({{"SEEDCORE_NS", "prod"}, {"RAY_NAMESPACE", "prod"}}))->warnings, IsEmpty());
}

TEST(Resolve, MisspeltVariableIsAWarningWithASuggestion) {
  const auto settings = Resolve(With({{"SEEDCORE_LISTN", "127.0.0.1:1"}}));
  ASSERT_TRUE(settings);
  EXPECT_THAT(settings->warnings,
              ElementsAre("environment SEEDCORE_LISTN is not a setting; did you mean SEEDCORE_LISTEN?"));
}

TEST(Resolve, EnvironmentOfAWholeDeploymentGivesNoWarning) {
  const auto settings = Resolve(With({{"RAY_HOST", "seedcore-svc-head-svc"},
                                      {"RAY_PORT", "10001"},
                                      {"RAY_ADDRESS", "ray://seedcore-svc-head-svc:10001"},
                                      {"RAY_NAMESPACE", "seedcore-dev"},
                                      {"RAY_SERVE_URL", "http://seedcore-svc-head-svc:8000"},
                                      {"RAY_DASHBOARD_URL", "http://seedcore-svc-head-svc:8265"},
                                      {"SEEDCORE_NS", "seedcore-dev"},
                                      {"SEEDCORE_PG_DSN", "postgresql://postgres:postgres@postgresql:5432/seedcore"},
                                      {"REDIS_URL", "redis://redis:6379"},
                                      {"NEO4J_URI", "bolt://neo4j:7687"},
                                      {"LOG_LEVEL", "INFO"},
                                      {"LLM_PROVIDER", "mlservice"},
                                      {"XGB_STORAGE_PATH", "/app/data/models"},
                                      {"COGNITIVE_TIMEOUT_S", "8.0"},
                                      {"COGNITIVE_MAX_INFLIGHT", "64"},
                                      {"OCPS_DRIFT_THRESHOLD", "0.5"},
                                      {"BOOTSTRAP_MODE", "all"},
                                      {"DSP_LOG_TO_STDOUT", "true"},
                                      {"SEEDCORE_API_PORT", "tcp://10.0.0.1:8002"},
                                      {"SEEDCORE_SVC_HEAD_SVC_SERVICE_HOST", "10.0.0.1"},
                                      {"SEEDCORE_SVC_HEAD_SVC_PORT_8000_TCP_ADDR", "10.0.0.1"}}));
  ASSERT_TRUE(settings) << ToString(settings.error());
  EXPECT_THAT(settings->warnings, IsEmpty());
  EXPECT_EQ(settings->coordinator.cognitive_timeout, std::chrono::milliseconds{8000});
  EXPECT_EQ(settings->coordinator.max_inflight_escalations, 64);
  EXPECT_EQ(settings->cluster.ray_namespace, "seedcore-dev");
}

TEST(Resolve, UnknownKeyOfTheFileIsAnErrorWithASuggestion) {
  const auto settings = Resolve(WithFile("server:\n  lisen: 127.0.0.1:1\n"));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message,
            "file x.yaml line 2: unknown setting `server.lisen`; did you mean `server.listen`?");
}

TEST(Resolve, UnknownFlagIsAnErrorWithASuggestion) {
  const auto settings = Resolve(With({}, {{"lissten", "x:1"}}));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message, "unknown flag --lissten; did you mean --listen?");
}

TEST(Resolve, BrokenFileNamesFileAndLine) {
  const auto settings = Resolve(WithFile("a: [\n"));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(settings.error().message, HasSubstr("file x.yaml line "));
}

TEST(Resolve, BadValueIsOneLineWithSourceValueAndRange) {
  const auto flag = Resolve(With({}, {{"listen", "nowhere"}}));
  ASSERT_FALSE(flag);
  EXPECT_EQ(
      flag.error().message,
      "flag --listen: expected HOST:PORT, for example 127.0.0.1:8000 or [::1]:8000, port 0 to 65535, 0 takes a free "
      "one, got \"nowhere\"");
  EXPECT_EQ(flag.error().path, "server.listen");
  const auto variable = Resolve(With({{"MAX_TASK_ATTEMPTS", "1000\n"}}));
  ASSERT_FALSE(variable);
  EXPECT_EQ(variable.error().message,
            "environment MAX_TASK_ATTEMPTS: expected a whole number, 1 to 100, got \"1000 \"");
}

TEST(Resolve, BadValueWithAPasswordIsRedacted) {
  const auto settings = Resolve(With({{"LLM_PROVIDER", "http://u:hunter2@llm"}}));
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, AllOf(Not(HasSubstr("hunter2")), HasSubstr("***")));
}

TEST(Resolve, SettingOfALaterPartIsAWarningWhenMeant) {
  EXPECT_THAT(Resolve(With({}, {{"cluster-redis-url", "redis://r"}}))->warnings,
              ElementsAre("flag --cluster-redis-url: cluster.redis_url has no effect in this version"));
  EXPECT_THAT(Resolve(With({{"REDIS_URL", "redis://r"}}))->warnings, IsEmpty());
}

TEST(Resolve, AddressOthersCanReachNeedsTokensOrConsent) {
  const auto open = Resolve(With({}, {{"listen", "0.0.0.0:8000"}}));
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().message,
            "flag --listen: 0.0.0.0:8000 can be reached from other machines: set SEEDCORE_API_TOKENS, or "
            "--insecure-no-auth");
  EXPECT_TRUE(Resolve(With({{"SEEDCORE_API_TOKENS", "t"}}, {{"listen", "0.0.0.0:8000"}})));
  EXPECT_TRUE(Resolve(With({}, {{"listen", "0.0.0.0:8000"}, {"insecure-no-auth", "true"}})));
}

TEST(Resolve, SettingsThatContradictEachOtherNameBothSources) {
  const auto settings = Resolve(With({}, {{"queue-retry-base", "1h"}}));
  ASSERT_FALSE(settings);
  EXPECT_EQ(
      settings.error().message,
      "queue.retry_base (flag --queue-retry-base) and queue.retry_max (default): the first wait is longer than the "
      "longest");
  EXPECT_FALSE(Resolve(With({}, {{"listen", "127.0.0.1:9"}, {"api-listen", "127.0.0.1:9"}})));
  EXPECT_TRUE(Resolve(With({}, {{"listen", "127.0.0.1:0"}, {"api-listen", "127.0.0.1:0"}})));
}

TEST(Resolve, HomeIsExpandedOrMissedByName) {
  EXPECT_EQ(Resolve(With({}, {{"data-dir", "~/x"}}))->store.data_dir, "/home/ada/x");
  EXPECT_EQ(Resolve(With({{"XDG_DATA_HOME", "/data"}}))->store.data_dir, "/data/seedcore");
  const auto homeless = Resolve(With({{"HOME", ""}}));
  ASSERT_FALSE(homeless);
  EXPECT_THAT(homeless.error().message, HasSubstr("HOME"));
  EXPECT_TRUE(Resolve(With({{"HOME", ""}}, {{"data-dir", "/x"}})));
}

TEST(Load, MissingFileIsNamed) {
  const auto settings = Load({}, "/nonexistent/seedcore.yaml");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message, "flag --config: can't read /nonexistent/seedcore.yaml");
}

TEST(Load, TheFileMayBeNamedByAVariableAndAFlagWins) {
  const std::string file = testing::TempDir() + "seedcore-by-variable.yaml";
  std::ofstream(file) << "queue:\n  concurrency: 7\n";
  ::setenv("SEEDCORE_CONFIG", file.c_str(), 1);
  const auto by_variable = Load({}, "");
  ::setenv("SEEDCORE_CONFIG", "/nonexistent/v.yaml", 1);
  const auto missing = Load({}, "");
  const auto by_flag = Load({}, file);
  ::unsetenv("SEEDCORE_CONFIG");
  std::filesystem::remove(file);
  ASSERT_TRUE(by_variable && by_flag);
  EXPECT_EQ(by_variable->queue.concurrency, 7);
  EXPECT_EQ(by_flag->queue.concurrency, 7);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "environment SEEDCORE_CONFIG: can't read /nonexistent/v.yaml");
}

TEST(Catalog, NamesVariablesAndFlagsAreUniqueAndDefaultsFitTheirOwnRange) {
  std::set<std::string> names;
  std::set<std::string> variables;
  std::set<std::string> flags;
  const Settings defaults;
  for (const Setting& setting : Catalog()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    for (const std::string& variable : setting.environment) EXPECT_TRUE(variables.insert(variable).second) << variable;
    if (!setting.flag.empty()) {
      EXPECT_TRUE(flags.insert(setting.flag).second) << setting.flag;
    }
    EXPECT_EQ(setting.flag.empty(), setting.secret) << setting.name;
    EXPECT_FALSE(setting.meaning.empty()) << setting.name;
    Settings read;
    const auto result = setting.read({setting.write(defaults), std::nullopt}, read);
    EXPECT_TRUE(result) << setting.name;
    EXPECT_EQ(setting.write(read), setting.write(defaults)) << setting.name;
  }
}

TEST(Catalog, EverySettingCanBeSetFromEverySource) {
  for (const Setting& setting : Catalog()) {
    const std::string value = setting.write(Settings{});
    if (value.empty()) continue;
    Sources sources = WithFile(setting.name + ": \"" + value + "\"\n");
    EXPECT_EQ(Resolve(sources)->sources.find(setting.name)->second.kind, SourceKind::kFile) << setting.name;
    sources.environment[setting.environment.front()] = value;
    EXPECT_EQ(Resolve(sources)->sources.find(setting.name)->second.kind, SourceKind::kEnvironment) << setting.name;
    sources.flags[setting.flag] = value;
    EXPECT_EQ(Resolve(sources)->sources.find(setting.name)->second.kind, SourceKind::kFlag) << setting.name;
  }
}

}  // namespace
}  // namespace seedcore::settings
