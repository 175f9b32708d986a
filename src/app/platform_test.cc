#include "app/platform.h"

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "app/foundation.h"
#include "base/testing.h"
#include "net/client.h"
#include "net/server.h"
#include "store/postgres/connection.h"
#include "store/postgres/testing.h"

namespace seedcore::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class PlatformTest : public testing::Test {
 protected:
  PlatformTest() {
    settings_.server.listen.port = 0;
    settings_.server.api_listen.port = 0;
    settings_.store.data_dir = folder_.path();
  }

  Result<std::unique_ptr<Platform>> Start() { return Platform::Start(settings_, RealEnv()); }

  test::TemporaryFolder folder_;
  settings::Settings settings_;
};

TEST_F(PlatformTest, ServesUntilItIsStopped) {
  const auto platform = Start();
  ASSERT_TRUE(platform) << ToString(platform.error());
  net::Client client({.base_url = (*platform)->api_url()}, RealEnv());
  const auto ready = client.Send({.target = "/readyz"}, {});
  ASSERT_TRUE(ready) << ToString(ready.error());
  EXPECT_EQ(ready->status, 200);
  (*platform)->Stop();
  (*platform)->Stop();  // idempotent
  EXPECT_FALSE(client.Send({.target = "/readyz"}, {}));
}

TEST_F(PlatformTest, ASecondPlatformOnTheSameDataIsRefused) {
  const auto first = Start();
  ASSERT_TRUE(first) << ToString(first.error());
  const auto second = Start();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(ToString(second.error()), HasSubstr(folder_.path().string()));
}

TEST_F(PlatformTest, KeepsEverythingInPostgresqlWhenItsDsnIsSet) {
  store::postgres::TestServer server;
  server.CreateDatabase("platform");
  settings_.store.pg_dsn = server.Dsn("platform");
  const auto platform = Start();
  ASSERT_TRUE(platform) << ToString(platform.error());
  net::Client client({.base_url = (*platform)->api_url()}, RealEnv());
  const auto health = client.Send({.target = "/api/v1/status"}, {});
  ASSERT_TRUE(health) << ToString(health.error());
  EXPECT_THAT(health->body, HasSubstr("postgresql"));
  EXPECT_THAT(health->body, Not(HasSubstr("s3cret")));
  EXPECT_FALSE(fs::exists(folder_.File("seedcore.db")));
}

/// The processes of a server that serve clients or take new ones, standing still until they go on.
class FrozenServer {
 public:
  explicit FrozenServer(const store::postgres::TestServer& server) {
    const auto connection = store::postgres::Connection::Open({.dsn = server.Dsn("postgres"), .setup = {}});
    const auto pids =
        (*connection)
            ->RunOnce(
                "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int UNION ALL SELECT pid FROM "
                "pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
                {});
    for (int row = 0; row < pids->size(); ++row) {
      pids_.push_back(static_cast<pid_t>(pids->Int(row, 0)));
      ::kill(pids_.back(), SIGSTOP);
    }
  }
  ~FrozenServer() {
    for (const pid_t pid : pids_) ::kill(pid, SIGCONT);
  }
  FrozenServer(const FrozenServer&) = delete;
  FrozenServer& operator=(const FrozenServer&) = delete;

 private:
  std::vector<pid_t> pids_;
};

TEST_F(PlatformTest, ProbesAreAnsweredInTimeWhenPostgresqlIsFrozen) {
  store::postgres::TestServer server;
  server.CreateDatabase("frozen");
  settings_.store.pg_dsn = server.Dsn("frozen");
  const auto platform = Start();
  ASSERT_TRUE(platform) << ToString(platform.error());
  net::Client client(
      {.base_url = (*platform)->api_url(), .retry = {.max_retries = 0}, .breaker = {.failures_to_open = 1'000'000'000}},
      RealEnv());
  const auto probe = [&] { return client.SendForAnyStatus({.target = "/readyz"}, {}); };
  ASSERT_EQ(probe()->status, 200);
  {
    const FrozenServer frozen(server);
    // Long before the store gives up a connection, however busy the machine is.
    constexpr std::chrono::seconds kInTime{15};
    const Instant began = RealEnv().Now();
    std::vector<std::future<Result<net::Response>>> probes;
    for (int i = 0; i < 4; ++i) probes.push_back(std::async(std::launch::async, probe));
    for (auto& answer : probes) {
      const auto ready = answer.get();
      ASSERT_TRUE(ready) << ToString(ready.error());
      EXPECT_EQ(ready->status, 503);
      EXPECT_THAT(ready->body, HasSubstr("has not answered within 2 s"));
    }
    const auto status = client.Send({.target = "/api/v1/status"}, {});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(status.error().message, HasSubstr("has not answered within 2 s"));
    EXPECT_LT(RealEnv().Now() - began, kInTime);
  }
  for (auto again = probe(); again && again->status != 200; again = probe()) continue;
  EXPECT_TRUE(probe());
}

TEST_F(PlatformTest, AnExternalTypeThatCannotBeOneIsRefusedWithItsSetting) {
  settings_.queue.external_types = {std::string(300, 'x')};
  const auto platform = Start();
  ASSERT_FALSE(platform);
  EXPECT_EQ(platform.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(platform.error().path, "queue.external_types");
}

TEST_F(PlatformTest, AWrongDsnIsRefused) {
  settings_.store.pg_dsn = "postgresql://seedcore:s3cret@127.0.0.1:1/platform";
  const auto platform = Start();
  ASSERT_FALSE(platform);
  EXPECT_EQ(platform.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(ToString(platform.error()), Not(HasSubstr("s3cret")));
}

TEST_F(PlatformTest, APortThatIsTakenIsNamed) {
  const auto first = Start();
  ASSERT_TRUE(first) << ToString(first.error());
  const std::string port = (*first)->api_url().substr((*first)->api_url().rfind(':') + 1);
  settings_.store.data_dir = folder_.File("other");
  settings_.server.api_listen.port = static_cast<std::uint16_t>(std::stoi(port));
  const auto second = Start();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(ToString(second.error()), HasSubstr(port));
}

TEST_F(PlatformTest, ARuleFileWithAMistakeStopsTheStart) {
  settings_.coordinator.predicates_path = folder_.File("rules.yaml");
  std::ofstream(settings_.coordinator.predicates_path) << "routing:\n  - when: 'task.type =='\n    do: fast_path\n";
  const auto platform = Start();
  ASSERT_FALSE(platform);
  EXPECT_EQ(platform.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(ToString(platform.error()), HasSubstr("rules.yaml"));
}

TEST(PrepareDataDir, MakesAPrivateFolderBelowHome) {
  const test::TemporaryFolder folder;
  const std::string home = folder.path().string();
  const char* const previous = std::getenv("HOME");
  const std::string kept = previous == nullptr ? "" : previous;
  setenv("HOME", home.c_str(), 1);
  const auto path = PrepareDataDir("~/data/seedcore");
  setenv("HOME", kept.c_str(), 1);
  ASSERT_TRUE(path) << ToString(path.error());
  EXPECT_EQ(*path, home + "/data/seedcore");
  EXPECT_EQ(fs::status(*path).permissions(), fs::perms::owner_all);
}

TEST(PrepareDataDir, SaysWhichFolderCannotBeMade) {
  const auto path = PrepareDataDir("/proc/seedcore");
  ASSERT_FALSE(path);
  EXPECT_THAT(path.error().message, HasSubstr("/proc/seedcore"));
}

TEST_F(PlatformTest, CancellingThroughTheApiStopsTheExecutorOfARunningTask) {
  // An executor that waits: a webhook whose other side does not answer until its caller has gone.
  std::promise<void> entered;
  std::promise<bool> gone;
  Metrics metrics;
  net::Server other_side(net::ServerOptions{}, RealEnv(), metrics);
  ASSERT_TRUE(other_side.AddRoutes(
      0, {{.method = net::Method::kPost, .pattern = "/wait", .handler = [&](const net::Request& request) {
             entered.set_value();
             std::mutex mutex;
             std::condition_variable_any never;
             std::unique_lock lock(mutex);
             RealEnv().WaitUntil(lock, never, RealEnv().Now() + std::chrono::seconds(60), request.call.stop,
                                 [] { return false; });
             gone.set_value(request.call.stop.stop_requested());
             return net::JsonResponse("{}");
           }}}));
  ASSERT_TRUE(other_side.Start());
  const std::string url = fmt::format("http://127.0.0.1:{}/wait", other_side.endpoints().front().port);
  settings_.organism.webhook_allow = {url};
  settings_.organism.webhook_timeout = std::chrono::seconds(60);
  const auto platform = Start();
  ASSERT_TRUE(platform) << ToString(platform.error());
  net::Client client({.base_url = (*platform)->api_url()}, RealEnv());
  const auto submitted =
      client.Send({.method = net::Method::kPost,
                   .target = "/api/v1/tasks",
                   .body = fmt::format(
                       R"({{"type": "execute", "params": {{"tool": "webhook", "arguments": {{"url": "{}"}}}}}})", url)},
                  {});
  ASSERT_TRUE(submitted) << ToString(submitted.error());
  const std::string id(ParseJson(submitted->body).value().at("id").as_string());
  ASSERT_EQ(entered.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  const Instant cancelled = RealEnv().Now();
  const auto answer = client.Send({.method = net::Method::kPost, .target = "/api/v1/tasks/" + id + "/cancel"}, {});
  ASSERT_TRUE(answer) << ToString(answer.error());
  ASSERT_EQ(answer->status, 200) << answer->body;
  auto stopped = gone.get_future();
  // Far less than a third of the lease, 10 s, after which the executor would learn of it anyway.
  ASSERT_EQ(stopped.wait_for(std::chrono::seconds(9)), std::future_status::ready);
  EXPECT_TRUE(stopped.get());
  fmt::print("from the cancellation to the stop, in one process through the API: {:.0f} ms\n",
             std::chrono::duration<double, std::milli>(RealEnv().Now() - cancelled).count());
}

TEST_F(PlatformTest, AScheduleOfARunningPlatformSubmitsItsTask) {
  const auto platform = Start();
  ASSERT_TRUE(platform) << ToString(platform.error());
  net::Client client({.base_url = (*platform)->api_url()}, RealEnv());
  const auto put = client.Send({.method = net::Method::kPut,
                                .target = "/api/v1/schedules/pulse",
                                .body = R"({"every_s": 1, "task": {"type": "health_check"}})"},
                               {});
  ASSERT_TRUE(put) << ToString(put.error());
  ASSERT_EQ(put->status, 200) << put->body;
  const Instant give_up = RealEnv().Now() + std::chrono::seconds(30);
  std::string task;
  while (task.empty() && RealEnv().Now() < give_up) {
    const auto read = client.Send({.target = "/api/v1/schedules/pulse"}, {});
    ASSERT_TRUE(read) << ToString(read.error());
    const json::value schedule = ParseJson(read->body).value();
    if (schedule.at("last_task_id").is_string()) task = schedule.at("last_task_id").as_string();
  }
  const auto submitted = client.Send({.target = "/api/v1/tasks/" + task}, {});
  ASSERT_TRUE(submitted) << ToString(submitted.error());
  EXPECT_THAT(submitted->body, HasSubstr("health_check"));
}

}  // namespace
}  // namespace seedcore::app
