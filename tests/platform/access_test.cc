// Who is let in.
#include <gtest/gtest.h>

#include "support/running_platform.h"

namespace seedcore::test {
namespace {

Result<std::unique_ptr<app::Platform>> StartOn(const std::string& host, std::vector<std::string> tokens,
                                               const TemporaryFolder& folder) {
  settings::Settings settings = TestSettings(folder.path() / "data");
  settings.server.api_listen.host = host;
  settings.server.api_tokens = std::move(tokens);
  return app::Platform::Start(settings, RealEnv());
}

TEST(Access, AnAddressThatOthersReachNeedsTokens) {
  const TemporaryFolder folder;
  const auto started = StartOn("0.0.0.0", {}, folder);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(started.error().message.find("SEEDCORE_API_TOKENS"), std::string::npos) << started.error().message;
  EXPECT_TRUE(StartOn("0.0.0.0", {"a-token-of-some-length"}, folder)) << "with a token it starts, on the same data";
}

TEST(Access, WithTokensOnlyProbesAnswerWithoutOne) {
  RunningPlatform platform([](settings::Settings& settings) {
    settings.server.api_tokens = {"first-token-of-some-length", "second-token-of-some-length"};
  });
  Caller nobody(platform.tasks().base_url());
  Caller stranger(platform.tasks().base_url(), "third-token-of-some-length");
  Caller prefix(platform.tasks().base_url(), "first-token-of-some-lengt");
  Caller second(platform.tasks().base_url(), "second-token-of-some-length");
  // Other spellings of a path are the same path, not a way around the token.
  for (const std::string path : {"/api/v1/tasks", "/api/v1/status", "/api/v1/facts", "/api/v1/events", "//api/v1/tasks",
                                 "/api//v1/tasks/", "/api/v1/%74asks", "/health/../api/v1/tasks"}) {
    for (Caller* caller : {&nobody, &stranger, &prefix}) {
      const Reply refused = caller->Get(path);
      EXPECT_EQ(refused.status, 401) << path << ": " << refused.text;
      EXPECT_EQ(refused.Text("error.code"), "unauthenticated");
      EXPECT_TRUE(refused.headers.Find("WWW-Authenticate"));
    }
  }
  EXPECT_EQ(second.Get("/api/v1/tasks").status, 200);
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks").status, 200);
  EXPECT_EQ(nobody.Post("/api/v1/tasks", R"({"type":"health_check"})").status, 401);
  EXPECT_EQ(platform.StoredTasks(), 0);
  for (const std::string probe : {"/health", "/readyz", "/metrics", "/openapi.json"}) {
    EXPECT_EQ(nobody.Get(probe).status, 200) << probe;
  }
  platform.Complete(R"({"type":"health_check"})");
}

TEST(Access, EveryOperationOfTheServicesButHealthIsBehindTheToken) {
  RunningPlatform platform(
      [](settings::Settings& settings) { settings.server.api_tokens = {"a-token-of-some-length"}; });
  Caller nobody(platform.services().base_url());
  const Reply document = nobody.Get("/openapi.json");
  for (const auto& path : document.Object("paths")) {
    for (const auto& method : path.value().as_object()) {
      const bool open = method.value().as_object().contains("security");
      const Reply reply = nobody.Send(method.key() == "get" ? net::Method::kGet : *net::ParseMethod([&] {
                                        std::string upper(method.key());
                                        for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
                                        return upper;
                                      }()),
                                      std::string(path.key()));
      if (open) {
        EXPECT_NE(reply.status, 401) << path.key();
      } else {
        EXPECT_EQ(reply.status, 401) << path.key() << ": " << reply.text;
      }
    }
  }
}

TEST(Access, TheDebugPageIsOffUnlessAskedForAndHidesTokens) {
  RunningPlatform closed;
  EXPECT_EQ(closed.tasks().Get("/_env").status, 404);
  RunningPlatform open([](settings::Settings& settings) {
    settings.server.debug_env = true;
    settings.server.api_tokens = {"a-token-of-some-length"};
  });
  Caller nobody(open.tasks().base_url());
  EXPECT_EQ(nobody.Get("/_env").status, 401);
  const Reply shown = open.tasks().Get("/_env");
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.text.find("a-token-of-some-length"), std::string::npos);
}

}  // namespace
}  // namespace seedcore::test
