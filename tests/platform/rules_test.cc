// The rule file is changed under a running platform, well and badly.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "support/running_platform.h"

namespace seedcore::test {
namespace {

constexpr const char* kFastRules = R"(routing:
  - {when: "true", do: "fast_path:utility_organ_1", description: "Everything is quick"}
mutations_enabled: false
)";
constexpr const char* kHoldRules = R"(routing:
  - {when: 'task.type == "general_query"', do: hold, description: "Nobody answers today"}
  - {when: "true", do: fast_path}
mutations_enabled: false
)";
// The operator is missing on line 3.
constexpr const char* kBrokenRules = R"(routing:
  - {when: "true", do: fast_path, description: "Good"}
  - {when: "p_fast 0.5", do: hold, description: "Bad"}
mutations_enabled: false
)";

class Rules : public ::testing::Test {
 protected:
  void Write(const std::string& text) {
    // Replaced as editors and deployments do: never half a file.
    const auto fresh = folder_.path() / "fresh.yaml";
    std::ofstream(fresh) << text;
    std::filesystem::rename(fresh, file_);
  }
  [[nodiscard]] ChangeSettings WithFile() const {
    return [this](settings::Settings& settings) { settings.coordinator.predicates_path = file_; };
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "rules.yaml";
};

std::string Status(RunningPlatform& platform, const std::string& field) {
  return platform.services().Get("/pipeline/predicates/status").Text("predicate_config." + field);
}

TEST_F(Rules, AreReplacedByAPost) {
  Write(kFastRules);
  RunningPlatform platform(WithFile());
  EXPECT_EQ(Status(platform, "routing_rules"), "1");
  const Reply before = platform.Complete(R"({"type":"general_query","description":"1 + 1"})");
  EXPECT_NE(before.Text("result.routing_reason").find("Everything is quick"), std::string::npos) << before.text;

  Write(kHoldRules);
  const Reply reload = platform.services().Post("/pipeline/predicates/reload");
  EXPECT_EQ(reload.status, 200) << reload.text;
  EXPECT_EQ(Status(platform, "routing_rules"), "2");
  platform.AwaitEvent(platform.Submit(R"({"type":"general_query","description":"1 + 1"})"), "held");
}

TEST_F(Rules, AreReplacedByTheFileAlone) {
  Write(kFastRules);
  RunningPlatform platform(WithFile());
  const std::string before = Status(platform, "file_hash");
  Write(kHoldRules);
  // The file is looked at every second. Each round trip of a task takes time, and there is nothing else to wait for.
  const Instant give_up = RealEnv().Now() + std::chrono::seconds(20);
  while (Status(platform, "file_hash") == before && RealEnv().Now() < give_up) {
    platform.Complete(R"({"type":"health_check"})");
  }
  EXPECT_EQ(Status(platform, "routing_rules"), "2");
}

TEST_F(Rules, ABrokenFileIsRefusedWithLineAndRuleAndTheLastGoodOnesStay) {
  Write(kFastRules);
  RunningPlatform platform(WithFile());
  Write(kBrokenRules);
  const Reply reload = platform.services().Post("/pipeline/predicates/reload");
  EXPECT_GE(reload.status, 400);
  EXPECT_LT(reload.status, 500) << reload.text;
  const std::string error = reload.Text("error.message") + " " + reload.Text("error.path");
  EXPECT_NE(error.find("3"), std::string::npos) << "the line is named: " << error;
  EXPECT_NE(error.find("routing[1]"), std::string::npos) << "the rule is named: " << error;

  EXPECT_EQ(Status(platform, "routing_rules"), "1");
  EXPECT_NE(Status(platform, "last_error"), "null");
  const Reply health = platform.services().Get("/pipeline/health");
  EXPECT_EQ(health.status, 200) << "it can still execute";
  EXPECT_EQ(health.Text("status"), "degraded") << health.text;
  const Reply task = platform.Complete(R"({"type":"general_query","description":"1 + 1"})");
  EXPECT_NE(task.Text("result.routing_reason").find("Everything is quick"), std::string::npos) << task.text;

  Write(kFastRules);
  ASSERT_EQ(platform.services().Post("/pipeline/predicates/reload").status, 200);
  EXPECT_EQ(platform.services().Get("/pipeline/health").Text("status"), "healthy");
}

TEST_F(Rules, ABrokenFileStopsTheStartWithItsLine) {
  Write(kBrokenRules);
  settings::Settings settings = TestSettings(folder_.path() / "data");
  settings.coordinator.predicates_path = file_;
  const auto started = app::Platform::Start(settings, RealEnv());
  ASSERT_FALSE(started);
  EXPECT_NE(ToString(started.error()).find("rules.yaml:3"), std::string::npos) << ToString(started.error());
}

TEST_F(Rules, BombsAreRefusedAndThePlatformGoesOn) {
  Write(kFastRules);
  RunningPlatform platform(WithFile());
  const auto repeat = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  const auto rule = [](const std::string& when) {
    return "routing: [{when: '" + when + "', do: hold}]\nmutations_enabled: false\n";
  };
  std::string aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    aliases += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" +
               repeat("*a" + std::to_string(i - 1) + ",", 8) + "*a" + std::to_string(i - 1) + "]\n";
  }
  const std::vector<std::pair<std::string, std::string>> bombs = {
      {"ten thousand parentheses", rule(repeat("(", 10'000) + "1" + repeat(")", 10'000))},
      {"ten thousand nots", rule(repeat("not ", 10'000) + "True")},
      {"a chain of a hundred thousand terms", rule("1" + repeat(" or 1", 100'000))},
      {"a list of a hundred thousand", rule("1 in [" + repeat("1,", 100'000) + "1]")},
      {"a file of two megabytes", std::string(2 << 20, '#')},
      {"ten thousand open brackets", "routing: " + repeat("[", 10'000)},
      {"aliases that multiply", aliases + "alerts: *a8\n" + kFastRules},
      {"bytes that are no text", std::string("routing: \xff\xfe\x00\x01", 13)},
      {"an empty file", ""},
  };
  for (const auto& [name, text] : bombs) {
    Write(text);
    const Reply reload = platform.services().Post("/pipeline/predicates/reload");
    EXPECT_GE(reload.status, 400) << name << ": " << reload.text;
    EXPECT_LT(reload.status, 500) << name << ": " << reload.text;
    EXPECT_LT(reload.text.size(), 2000U) << name << ": the refusal is not a bomb of its own";
  }
  // Bombs that compile must not hurt when they are evaluated.
  for (const std::string& when : {std::string("9 ** 9 ** 9 ** 9 > 1"), "\"a\" * 999999999 == \"\"",
                                  std::string("[0] * 999999999 == []"), std::string("2 ** 99999999 % 7 == 1")}) {
    Write("routing:\n  - {when: " + WriteJson(json::string(when)) +
          ", do: hold}\n  - {when: 'true', do: fast_path}\nmutations_enabled: false\n");
    if (platform.services().Post("/pipeline/predicates/reload").status != 200) continue;  // refused at once: as good
    const std::string id = platform.Submit(R"({"type":"general_query","description":"1 + 1"})");
    const Reply task = platform.Await(id, "completed");
    EXPECT_EQ(task.Text("attempts"), "1") << when;
  }
  EXPECT_EQ(platform.tasks().Get("/readyz").status, 200);
}

}  // namespace
}  // namespace seedcore::test
