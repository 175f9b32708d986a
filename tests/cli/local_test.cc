// The commands that need no running platform.
#include <fstream>
#include <iterator>

#include "program.h"

namespace seedcore::test {
namespace {

Outcome Bash(const Program& program, const std::string& script) {
  return RunProcess("bash", {"--norc", "-c", script}, program.options());
}

/// What bash offers for these words, the last of which is being typed.
std::string Offered(const Program& program, const std::string& words) {
  const Outcome outcome =
      Bash(program, std::string("source <(") + SEEDCORE_PROGRAM + " completion bash); COMP_WORDS=(" + words +
                        "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _seedcore; echo \"${COMPREPLY[*]}\"");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return outcome.out.substr(0, outcome.out.find('\n'));
}

TEST(Local, WrongUseIsTwoWithAHint) {
  const Program seedcore;
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{},
                                                {"fly"},
                                                {"tasks", "--no-such-flag"},
                                                {"submit"},
                                                {"completion", "fish"},
                                                {"nab"}}) {
    const Outcome outcome = seedcore.Run(wrong);
    EXPECT_EQ(outcome.code, 2) << (wrong.empty() ? "nothing" : wrong.front());
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(Contains(outcome.err, "--help")) << outcome.err;
  }
}

TEST(Local, AnUnknownCommandGetsASuggestion) {
  const Program seedcore;
  EXPECT_TRUE(Contains(seedcore.Run({"sumbit"}).err, "did you mean 'submit'")) << seedcore.Run({"sumbit"}).err;
}

TEST(Local, HelpNamesEveryCommandAndTheExitCodes) {
  const Program seedcore;
  const Outcome help = seedcore.Run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* command : {"up", "submit", "ask", "tasks", "task", "cancel", "retry", "facts", "health", "status",
                              "config", "nab", "bench", "completion", "version"}) {
    EXPECT_TRUE(Contains(help.out, std::string("\n  ") + command + " ")) << command << " in " << help.out;
  }
  EXPECT_TRUE(Contains(help.out, "Exit codes")) << help.out;
  EXPECT_EQ(seedcore.Run({"submit", "--help"}).code, 0);
}

TEST(Local, VersionIsPrinted) {
  const Program seedcore;
  EXPECT_TRUE(Contains(seedcore.Run({"version"}).out, "seedcore "));
  EXPECT_TRUE(seedcore.Json({"version"}).at("version").is_string());
}

TEST(Local, ConfigShowSaysTheSourceAndHidesSecrets) {
  Program seedcore;
  const auto file = seedcore.Write("seedcore.yaml", "queue:\n  lease: 45s\n");
  seedcore.Set("SEEDCORE_API_TOKENS", "very-secret-token,other-secret-token");
  seedcore.Set("PG_DSN", "postgresql://seed:pass-word@127.0.0.1:5432/seedcore");
  seedcore.Set("LOG_LEVEL", "warning");
  const std::vector<std::string> show = {"config", "show", "--config", file.string(), "--listen", "127.0.0.1:8123"};
  const Outcome text = seedcore.Run(show);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_FALSE(Contains(text.out, "\x1b"));
  for (const std::string& shown : {text.out, WriteJson(seedcore.Json(show))}) {
    EXPECT_FALSE(Contains(shown, "secret-token")) << shown;
    EXPECT_FALSE(Contains(shown, "pass-word")) << shown;
    EXPECT_TRUE(Contains(shown, "127.0.0.1:5432/seedcore")) << "only the password is hidden: " << shown;
    for (const char* source : {"environment LOG_LEVEL", "flag --listen", "seedcore.yaml line 2", "default"}) {
      EXPECT_TRUE(Contains(shown, source)) << source << " in " << shown;
    }
  }
}

TEST(Local, AMisspeltNameGetsASuggestion) {
  Program seedcore;
  seedcore.Set("SEEDCORE_DATA_DIRR", "/nowhere");
  const Outcome warned = seedcore.Run({"config", "show"});
  EXPECT_EQ(warned.code, 0) << "a stray variable does not stop anything";
  EXPECT_TRUE(Contains(warned.err, "SEEDCORE_DATA_DIR'") || Contains(warned.err, "SEEDCORE_DATA_DIR?")) << warned.err;
  EXPECT_TRUE(Contains(warned.err, "did you mean")) << warned.err;

  const auto file = seedcore.Write("seedcore.yaml", "queue:\n  leese: 45s\n");
  const Outcome refused = seedcore.Run({"config", "show", "--config", file.string()});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(Contains(refused.err, "did you mean") && Contains(refused.err, "lease")) << refused.err;
  EXPECT_EQ(seedcore.Run({"config", "show", "--config", "no-such-file.yaml"}).code, 3);
}

TEST(Local, BashCompletesCommandsOptionsAndValues) {
  const Program seedcore;
  EXPECT_EQ(Bash(seedcore, std::string(SEEDCORE_PROGRAM) + " completion bash | bash -n").code, 0);
  EXPECT_EQ(Offered(seedcore, "seedcore sub"), "submit");
  EXPECT_EQ(Offered(seedcore, "seedcore ta"), "tasks task");
  EXPECT_EQ(Offered(seedcore, "seedcore tasks --st"), "--status");
  EXPECT_EQ(Offered(seedcore, "seedcore tasks --status comp"), "completed");
  EXPECT_EQ(Offered(seedcore, "seedcore completion z"), "zsh");
  EXPECT_EQ(Offered(seedcore, "seedcore up --data"), "--data-dir") << "settings are options too";
  EXPECT_EQ(Offered(seedcore, "seedcore tasks --api"), "--api");
  EXPECT_EQ(Offered(seedcore, "seedcore up --config"), "--config");
}

TEST(Local, ZshCompletionIsZsh) {
  const Program seedcore;
  const Outcome script = seedcore.Run({"completion", "zsh"});
  EXPECT_EQ(script.code, 0);
  EXPECT_TRUE(script.out.starts_with("#compdef seedcore\n"));
  if (Bash(seedcore, "command -v zsh").code != 0) GTEST_SKIP() << "zsh is not installed";
  const auto file = seedcore.Write("_seedcore", script.out);
  EXPECT_EQ(RunProcess("zsh", {"-n", file.string()}, seedcore.options()).code, 0);
}

TEST(Local, NabWritesOneFileOfScoresPerSeries) {
  const Program seedcore;
  std::filesystem::create_directories(seedcore.folder() / "in/group");
  std::string series = "timestamp,value\n";
  for (int i = 0; i < 300; ++i) {
    series += "2025-01-" + std::string(i / 24 < 9 ? "0" : "") + std::to_string(i / 24 + 1) + " " +
              std::string(i % 24 < 10 ? "0" : "") + std::to_string(i % 24) + ":00:00," +
              std::to_string(i == 250 ? 900 : 100 + i % 24) + "\n";
  }
  seedcore.Write("in/group/series.csv", series);
  const json::value summary = seedcore.Json(
      {"nab", "--data", (seedcore.folder() / "in").string(), "--out", (seedcore.folder() / "out").string()});
  EXPECT_EQ(summary.at("files"), 1);
  EXPECT_EQ(summary.at("points"), 300);
  EXPECT_EQ(seedcore.Run({"nab", "--data", "/no/such/folder", "--out", "out"}).code, 2);
}

TEST(Local, BenchMeasuresAndLeavesNothingBehind) {
  const Program seedcore;
  const json::value report = seedcore.Json({"bench", "--tasks", "50"});
  EXPECT_GT(report.at("submits_per_s").as_double(), 0.0);
  EXPECT_TRUE(std::filesystem::is_empty(seedcore.folder()));
}

TEST(Local, DocsAreWrittenFromTheCode) {
  const Program seedcore;
  EXPECT_EQ(seedcore.Run({"docs", "--out", seedcore.folder().string()}).code, 0);
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_TRUE(Contains(read(seedcore.folder() / "api.md"), "`POST /api/v1/tasks`"));
  EXPECT_EQ(read(seedcore.folder() / "settings.md"), read(std::string(SEEDCORE_SOURCE_DIR) + "/docs/settings.md"))
      << "run `make docs`";
}

TEST(Demo, RunsTheExampleToTheEndAndLeavesNothingBehind) {
  // The first two months of the bundled series; `make demo` runs all of it.
  const TemporaryFolder example;
  const std::filesystem::path bundled = std::string(SEEDCORE_SOURCE_DIR) + "/examples/data";
  std::filesystem::copy(bundled / "nyc_taxi_events.json", example.path());
  std::ifstream all(bundled / "nyc_taxi.csv");
  std::ofstream part(example.path() / "nyc_taxi.csv");
  std::string line;
  for (int i = 0; i < 2 * 31 * 48 && std::getline(all, line); ++i) part << line << '\n';
  part.close();

  const Program seedcore;
  const std::vector<std::string> demo{"demo",         "--example",  example.path().string(), "--listen", "127.0.0.1:0",
                                      "--api-listen", "127.0.0.1:0"};
  const json::value report = seedcore.Json(demo);
  EXPECT_EQ(report.at("failed"), 0) << WriteJson(report);
  EXPECT_GT(report.at("tasks").as_int64(), 40) << WriteJson(report);
  const Outcome text = seedcore.Run(demo);
  EXPECT_TRUE(Contains(text.out, "0 failed")) << text.out;
  EXPECT_FALSE(Contains(text.out, "http://")) << "nothing listens any more: " << text.out;
  EXPECT_TRUE(std::filesystem::is_empty(seedcore.folder()));
  EXPECT_EQ(seedcore.Run({"demo", "--example", "/no/such/folder"}).code, 3);
}

}  // namespace
}  // namespace seedcore::test
