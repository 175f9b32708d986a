// Steering tasks through the API: hold, resume, cancel, keys, batches, dependencies, pages.
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/testing.h"
#include "support/running_platform.h"

namespace seedcore::test {
namespace {

/// A webhook that answers when the test lets it, so that a task is running for as long as the test needs.
class SlowHook {
 public:
  SlowHook() : server_(Options(), {{.method = net::Method::kPost, .pattern = "/wait", .handler = Handler()}}) {}
  ~SlowHook() { Release(); }

  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}/wait", server_.port()); }
  [[nodiscard]] std::string Task() const {
    return fmt::format(R"({{"type":"execute","params":{{"tool":"webhook","arguments":{{"url":"{}"}}}}}})", url());
  }
  [[nodiscard]] ChangeSettings Allowed() const {
    return [url = url()](settings::Settings& settings) { settings.organism.webhook_allow = {url}; };
  }
  void AwaitCall() { called_.get_future().wait(); }
  void Release() {
    if (!std::exchange(released_, true)) release_.set_value();
  }

 private:
  static net::ServerOptions Options() {
    net::ServerOptions options;
    options.limits.worker_threads = 2;
    return options;
  }
  net::Handler Handler() {
    return [this, release = release_.get_future().share()](const net::Request&) {
      if (!std::exchange(was_called_, true)) called_.set_value();
      release.wait();
      return net::JsonResponse("{}");
    };
  }

  bool released_ = false;
  std::atomic<bool> was_called_ = false;
  std::promise<void> called_;
  std::promise<void> release_;
  net::testing::TestServer server_;
};

TEST(Lifecycle, ATaskHeldByARuleSaysWhyAndRunsOnceItIsResumed) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "rules.yaml";
  std::ofstream(file) << R"(routing:
  - {when: 'task.type == "execute"', do: hold, description: "Machines are under maintenance"}
  - {when: "true", do: fast_path}
mutations_enabled: false
)";
  RunningPlatform platform([&](settings::Settings& settings) { settings.coordinator.predicates_path = file; });
  const std::string id =
      platform.Submit(R"({"type":"execute","params":{"tool":"calculate","arguments":{"expression":"1+1"}}})");
  platform.AwaitEvent(id, "held");
  Reply held = platform.tasks().Get("/api/v1/tasks/" + id);
  EXPECT_NE(held.Text("hold_reason").find("Machines are under maintenance"), std::string::npos) << held.text;

  // The rule would hold it again: it has to go first.
  std::ofstream(file) << "routing: [{when: 'true', do: fast_path}]\nmutations_enabled: false\n";
  ASSERT_EQ(platform.services().Post("/pipeline/predicates/reload").status, 200);
  ASSERT_EQ(platform.tasks().Post("/api/v1/tasks/" + id + "/resume").status, 200);
  EXPECT_EQ(platform.Await(id, "completed").At("hold_reason"), json::value());
  EXPECT_EQ(platform.tasks().Post("/api/v1/tasks/" + id + "/resume").status, 409) << "it is not held any more";
}

TEST(Lifecycle, ATaskStoredWithoutRunningWaitsForRun) {
  RunningPlatform platform;
  const std::string id = platform.Submit(R"({"type":"health_check","run_immediately":false})");
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + id + "/status").Text("status"), "created");
  ASSERT_EQ(platform.tasks().Post("/api/v1/tasks/" + id + "/run").status, 200);
  platform.Await(id, "completed");
}

TEST(Lifecycle, ARunningTaskIsCancelledAndItsLateResultRefused) {
  SlowHook hook;
  RunningPlatform platform(hook.Allowed());
  const std::string id = platform.Submit(hook.Task());
  hook.AwaitCall();
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + id).Text("status"), "running");
  const Reply cancelled = platform.tasks().Post("/api/v1/tasks/" + id + "/cancel");
  EXPECT_EQ(cancelled.status, 200) << cancelled.text;
  EXPECT_EQ(cancelled.Text("status"), "cancelled");
  hook.Release();
  // A worker that runs another task to its end has long noticed that this one is not its own any more.
  platform.Complete(R"({"type":"health_check"})");
  const Reply after = platform.tasks().Get("/api/v1/tasks/" + id);
  EXPECT_EQ(after.Text("status"), "cancelled");
  EXPECT_EQ(after.At("result"), json::value()) << after.text;
  EXPECT_EQ(platform.tasks().Post("/api/v1/tasks/" + id + "/cancel").status, 409) << "it has ended";
}

TEST(Lifecycle, TheSameIdempotencyKeyReturnsTheFirstTaskAndAnotherContentIsAConflict) {
  RunningPlatform platform;
  const std::string task = R"({"type":"general_query","description":"1 + 1"})";
  const Reply first = platform.tasks().Post("/api/v1/tasks", task, "key-1");
  const Reply again = platform.tasks().Post("/api/v1/tasks", task, "key-1");
  EXPECT_EQ(again.status, 200) << again.text;
  EXPECT_EQ(first.Text("id"), again.Text("id"));
  const Reply other =
      platform.tasks().Post("/api/v1/tasks", R"({"type":"general_query","description":"2 + 2"})", "key-1");
  EXPECT_EQ(other.status, 409) << other.text;
  EXPECT_EQ(platform.StoredTasks(), 1);
}

TEST(Lifecycle, ABatchIsStoredWholeOrNotAtAll) {
  RunningPlatform platform;
  const Reply batch = platform.tasks().Post(
      "/api/v1/tasks/batch",
      R"({"tasks":[{"type":"general_query","description":"1 + 1"},{"type":"health_check","idempotency_key":"b"}]})");
  ASSERT_EQ(batch.status, 200) << batch.text;
  EXPECT_EQ(batch.Text("duplicates"), "0");
  EXPECT_NE(platform.Await(batch.Text("items.0.id"), "completed").text.find("2"), std::string::npos);
  platform.Await(batch.Text("items.1.id"), "completed");

  const Reply refused = platform.tasks().Post(
      "/api/v1/tasks/batch", R"({"tasks":[{"type":"health_check"},{"type":"health_check","priority":99}]})");
  EXPECT_EQ(refused.status, 422) << refused.text;
  EXPECT_EQ(refused.Text("error.path"), "tasks[1].priority");
  EXPECT_EQ(platform.StoredTasks(), 2);
}

TEST(Lifecycle, ADependentTaskRunsAfterAllItWaitsForAndFailsWhenThatIsImpossible) {
  RunningPlatform platform;
  const std::string first = platform.Submit(R"({"type":"health_check","run_immediately":false})");
  const std::string second =
      platform.Submit(fmt::format(R"({{"type":"general_query","description":"1 + 1","depends_on":["{}"]}})", first));
  platform.Complete(R"({"type":"health_check"})");
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + second).Text("attempts"), "0") << "its turn has not come";
  ASSERT_EQ(platform.tasks().Post("/api/v1/tasks/" + first + "/run").status, 200);
  platform.Await(second, "completed");

  const std::string hopeless = platform.Submit(R"({"type":"no_such_type"})");
  platform.Await(hopeless, "failed");
  const std::string follower =
      platform.Submit(fmt::format(R"({{"type":"health_check","depends_on":["{}"]}})", hopeless));
  const Reply failed = platform.Await(follower, "failed");
  EXPECT_NE(failed.Text("error").find(hopeless), std::string::npos) << failed.Text("error");
}

TEST(Lifecycle, ATaskThatMissesItsDeadlineFails) {
  RunningPlatform platform(
      [](settings::Settings& settings) { settings.queue.reap_interval = std::chrono::milliseconds(50); });
  const Reply task = platform.Await(
      platform.Submit(
          R"({"type":"health_check","run_after":"2999-01-01T00:00:00Z","deadline":"2001-01-01T00:00:00Z"})"),
      "failed");
  EXPECT_EQ(task.Text("error_code"), "deadline_exceeded") << task.text;
}

TEST(Lifecycle, PagesHoldEveryTaskOnceNewestFirst) {
  RunningPlatform platform;
  std::vector<std::string> submitted;
  for (int i = 0; i < 7; ++i) {
    submitted.push_back(platform.Submit(fmt::format(R"({{"type":"health_check","domain":"d{}"}})", i % 2)));
  }
  std::vector<std::string> listed;
  std::string cursor;
  do {
    const Reply page = platform.tasks().Get("/api/v1/tasks?limit=3" + (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(page.status, 200) << page.text;
    EXPECT_EQ(page.Text("total"), "7");
    for (const json::value& task : page.Array("items")) listed.push_back(TextAt(task, "id"));
    cursor = page.At("next_cursor").is_null() ? "" : page.Text("next_cursor");
  } while (!cursor.empty());
  EXPECT_EQ(listed, std::vector<std::string>(submitted.rbegin(), submitted.rend()));
}

TEST(Lifecycle, FiltersNarrowTheListAndAWrongOneIsRefused) {
  RunningPlatform platform;
  platform.Complete(R"({"type":"general_query","description":"what time is it?","domain":"night"})");
  platform.Await(platform.Submit(R"({"type":"no_such_type","domain":"day"})"), "failed");
  const auto count = [&](const std::string& query) {
    const Reply page = platform.tasks().Get("/api/v1/tasks?" + query);
    EXPECT_EQ(page.status, 200) << page.text;
    return page.Array("items").size();
  };
  EXPECT_EQ(count("status=failed"), 1U);
  EXPECT_EQ(count("type=general_query"), 1U);
  EXPECT_EQ(count("domain=night"), 1U);
  EXPECT_EQ(count("domain=night&status=failed"), 0U);
  EXPECT_EQ(count("q=what%20time"), 1U);
  EXPECT_EQ(count("dead_letter=true"), 1U);
  EXPECT_EQ(count("since=2001-01-01T00%3A00%3A00Z"), 2U);
  EXPECT_EQ(count("since=2999-01-01T00%3A00%3A00Z"), 0U);
  for (const char* wrong : {"status=finished", "limit=0", "limit=1001", "limit=ten", "since=yesterday",
                            "cursor=nonsense", "dead_letter=maybe", "colour=red"}) {
    const Reply refused = platform.tasks().Get(std::string("/api/v1/tasks?") + wrong);
    EXPECT_EQ(refused.status, 422) << wrong << ": " << refused.text;
    EXPECT_EQ(refused.Text("error.path"), std::string(wrong).substr(0, std::string(wrong).find('='))) << refused.text;
  }
}

TEST(Lifecycle, AUniquePrefixNamesATaskAndAnAmbiguousOneIsAConflict) {
  RunningPlatform platform;
  const std::string first = platform.Submit(R"({"type":"health_check"})");
  const std::string second = platform.Submit(R"({"type":"health_check"})");
  std::size_t common = 0;
  while (first[common] == second[common]) ++common;
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + first.substr(0, common + 1)).Text("id"), first);
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + first.substr(0, common)).status, 409);
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/ffffffff").status, 404);
}

}  // namespace
}  // namespace seedcore::test
