// The worker in Python that the documentation shows, against the real platform over HTTP.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "app/platform.h"
#include "base/json_binding.h"
#include "net/client.h"

namespace seedcore {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A Python program that is killed when the test ends.
class Python {
 public:
  Python(const std::string& program, const std::string& url) {
    std::vector<std::string> arguments{SEEDCORE_PYTHON3, program, "--url", url};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (::posix_spawn(&pid_, SEEDCORE_PYTHON3, nullptr, nullptr, argv.data(), environ) != 0) {
      throw std::runtime_error("cannot start python3");
    }
  }
  ~Python() { Kill(); }
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;
  void Kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() : folder_((fs::temp_directory_path() / "seedcore-worker-XXXXXX").string()) {
    if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary directory");
    settings::Settings settings;
    settings.server.listen.port = 0;
    settings.server.api_listen.port = 0;
    settings.store.data_dir = folder_;
    settings.queue.external_types = {"word_count", "publish", "checksum"};
    settings.queue.reap_interval = 100ms;
    auto started = app::Platform::Start(settings, RealEnv());
    if (!started) throw std::runtime_error(ToString(started.error()));
    platform_ = std::move(*started);
    client_ = std::make_unique<net::Client>(net::ClientOptions{.base_url = platform_->api_url()}, RealEnv());
  }
  ~WorkerTest() override {
    platform_.reset();
    fs::remove_all(folder_);
  }
  void SetUp() override {
    if (std::string_view(SEEDCORE_PYTHON3).empty())
      GTEST_SKIP() << "python3 was not found when the build was configured";
  }

  json::value Post(const std::string& path, const json::object& body) {
    const auto answer =
        client_->Send({.method = net::Method::kPost, .target = path, .body = WriteJson(json::value(body))}, {});
    if (!answer) throw std::runtime_error(ToString(answer.error()));
    return ParseJson(answer->body).value();
  }
  std::string Submit(const std::string& text) {
    const json::value task =
        Post("/api/v1/tasks", {{"type", "word_count"}, {"params", {{"text", text}}}, {"retry", {{"base_s", 0.1}}}});
    return TextOf(task, "id");
  }
  json::value Get(const std::string& id) {
    const auto answer = client_->Send({.target = "/api/v1/tasks/" + id}, {});
    if (!answer) throw std::runtime_error(ToString(answer.error()));
    return ParseJson(answer->body).value();
  }
  /// The task once it has `status`; the limit is only there to end a test that fails.
  json::value Await(const std::string& id, const std::string& status) {
    const Instant give_up = RealEnv().Now() + 30s;
    json::value task = Get(id);
    while (TextOf(task, "status") != status && RealEnv().Now() < give_up) {
      RealEnv().SleepFor(20ms, {});
      task = Get(id);
    }
    EXPECT_EQ(TextOf(task, "status"), status) << WriteJson(task);
    return task;
  }
  /// The last event of this kind in the task's history, once there is one.
  json::value AwaitEvent(const std::string& id, const std::string& kind) {
    const Instant give_up = RealEnv().Now() + 30s;
    json::value found;
    while (found.is_null() && RealEnv().Now() < give_up) {
      const json::value history = Get(id + "/events");
      for (const json::value& event : history.at("events").as_array()) {
        if (TextOf(event, "kind") == kind) found = event;
      }
      if (found.is_null()) RealEnv().SleepFor(20ms, {});
    }
    if (found.is_null()) throw std::runtime_error("no event of kind " + kind);
    return found;
  }
  static std::string TextOf(const json::value& object, const char* name) {
    return std::string(object.at(name).as_string());
  }
  std::unique_ptr<Python> StartExample() {
    ::setenv("WORKER_LEASE_S", "1", 1);  // so that a killed one is missed soon
    return std::make_unique<Python>(SEEDCORE_SOURCE_DIR "/examples/worker.py", platform_->api_url());
  }

  std::string folder_;
  std::unique_ptr<app::Platform> platform_;
  std::unique_ptr<net::Client> client_;
};

TEST_F(WorkerTest, TheExampleExecutesTasksThatThePlatformHasNoExecutorFor) {
  const auto python = StartExample();
  const json::value task = Await(Submit("to be or not to be"), "completed");
  EXPECT_EQ(task.at("result"), json::value({{"words", 6}, {"distinct", 4}}));
  EXPECT_EQ(task.at("attempts"), 1);
}

TEST_F(WorkerTest, WhatTheExampleCannotDoFailsForGoodWithItsReason) {
  const auto python = StartExample();
  const json::value created = Post("/api/v1/tasks", {{"type", "word_count"}, {"params", {{"text", 7}}}});
  const json::value task = Await(TextOf(created, "id"), "failed");
  EXPECT_EQ(task.at("error"), "params.text: expected a string");
  EXPECT_EQ(task.at("dead_letter"), true);
}

TEST_F(WorkerTest, AWorkerThatVanishesCostsNobodyATask) {
  const std::string id = Submit("once more unto the breach");
  const json::value claims =
      Post("/api/v1/workers/claim",
           {{"worker_id", "vanishes"}, {"types", json::array{"word_count"}}, {"lease_s", 1.0}, {"wait_s", 10.0}});
  ASSERT_EQ(claims.at("items").as_array().size(), 1U);
  // It is never heard of again, until it is too late.
  const auto python = StartExample();
  const json::value task = Await(id, "completed");
  EXPECT_EQ(task.at("attempts"), 2);
  const auto late = client_->SendForAnyStatus(
      {.method = net::Method::kPost,
       .target = "/api/v1/workers/complete",
       .body = WriteJson(json::value{{"worker_id", "vanishes"},
                                     {"id", id},
                                     {"fencing_token", claims.at("items").at(0).at("fencing_token")},
                                     {"result", "late"}})},
      {});
  ASSERT_TRUE(late) << ToString(late.error());
  EXPECT_EQ(late->status, 409);
  EXPECT_EQ(Get(id).at("result").at("words"), 5);
}

TEST_F(WorkerTest, AnExampleThatIsKilledLosesNothing) {
  auto python = StartExample();
  std::vector<std::string> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(Submit("a b c"));
  Await(ids.front(), "completed");
  python->Kill();
  python = StartExample();
  // What the first had in its hands when it died comes back when its lease ends.
  for (const std::string& id : ids) Await(id, "completed");
}

TEST_F(WorkerTest, StepsOfAPythonWorkerSurviveItAndWaitForAPerson) {
  auto python = StartExample();
  const json::value created = Post("/api/v1/tasks", {{"type", "publish"}, {"params", {{"topic", "Owls"}}}});
  const std::string id = TextOf(created, "id");
  const json::value parked = Await(id, "created");
  EXPECT_EQ(parked.at("hold_reason"), "step 'approve': Publish 'Owls, in short'?");
  const json::value drafted = Get(id + "/steps").at("items").at(0).at("result").at("by");
  python->Kill();
  python = StartExample();
  Post("/api/v1/tasks/" + id + "/steps/approve/resume", {{"answer", {{"who", "Ada"}}}});
  const json::value task = Await(id, "completed");
  EXPECT_EQ(task.at("result").at("approved"), json::value({{"who", "Ada"}}));
  EXPECT_EQ(task.at("result").at("drafted_by"), drafted);  // by the one that was killed: not done again
  const json::value steps = Get(id + "/steps");
  EXPECT_EQ(steps.at("items").as_array().size(), 3U);
  EXPECT_EQ(steps.at("items").at(0).at("attempt"), 1);
}

TEST_F(WorkerTest, TheExamplePutsATaskOffUntilItCanBeDoneAndSaysHowFarItIs) {
  const auto python = StartExample();
  const std::string file = folder_ + "/letter.txt";
  const json::value created =
      Post("/api/v1/tasks",
           {{"type", "checksum"}, {"params", {{"path", file}}}, {"retry", {{"max_attempts", 1}, {"base_s", 0.1}}}});
  const std::string id = TextOf(created, "id");
  const json::value snoozed = AwaitEvent(id, "snoozed");
  EXPECT_EQ(snoozed.at("detail"), json::string("there is no " + file + " yet"));
  // Written aside and moved, so that the worker never sees half of it.
  std::ofstream(file + ".part") << "to be or not to be";
  fs::rename(file + ".part", file);
  const json::value task = Await(id, "completed");
  EXPECT_EQ(task.at("result").at("bytes"), 18);
  EXPECT_EQ(task.at("attempts"), 1) << "an execution that puts its task off is no attempt";
  const json::value progress = AwaitEvent(id, "progress");
  EXPECT_EQ(progress.at("progress").at("fraction"), 1.0);
  EXPECT_EQ(progress.at("progress").at("note"), "18 of 18 bytes");
  EXPECT_EQ(progress.at("progress").at("data"), (json::value{{"bytes", 18}}));
}

TEST_F(WorkerTest, ProgressAndSnoozeNeedTheTokenOfTheClaimAndKeepTheirBounds) {
  const std::string id = Submit("a b");
  const json::value claims =
      Post("/api/v1/workers/claim", {{"worker_id", "w"}, {"types", json::array{"word_count"}}, {"wait_s", 10.0}});
  const std::int64_t token = claims.at("items").at(0).at("fencing_token").as_int64();
  const auto refused = [&](const std::string& operation, std::int64_t with_token, json::object what) {
    what["worker_id"] = "w";
    what["id"] = id;
    what["fencing_token"] = with_token;
    const auto answer = client_->SendForAnyStatus(
        {.method = net::Method::kPost, .target = "/api/v1/workers/" + operation, .body = WriteJson(json::value(what))},
        {});
    if (!answer) throw std::runtime_error(ToString(answer.error()));
    return std::pair(answer->status, answer->body);
  };
  using testing::FieldsAre;
  using testing::HasSubstr;
  EXPECT_THAT(refused("progress", token, {{"fraction", 1.5}}), FieldsAre(422, HasSubstr("fraction")));
  EXPECT_THAT(refused("progress", token, {{"fraction", 0.5}, {"note", std::string(1001, 'x')}}),
              FieldsAre(422, HasSubstr("note")));
  EXPECT_THAT(refused("progress", token, {{"fraction", 0.5}, {"data", std::string(9000, 'x')}}),
              FieldsAre(422, HasSubstr("data")));
  EXPECT_THAT(refused("progress", token + 1, {{"fraction", 0.5}}), FieldsAre(200, HasSubstr(R"("accepted":false)")));
  EXPECT_THAT(refused("snooze", token, {{"delay_s", 0.5}}), FieldsAre(422, HasSubstr("delay_s")));
  EXPECT_THAT(refused("snooze", token, {{"delay_s", 31.0 * 86'400.0}}), FieldsAre(422, HasSubstr("delay_s")));
  EXPECT_THAT(refused("snooze", token + 1, {{"delay_s", 5.0}}), FieldsAre(409, HasSubstr("lease_lost")));
  EXPECT_EQ(Get(id).at("status"), "running");
  EXPECT_THAT(refused("progress", token, {{"fraction", 0.5}}), FieldsAre(200, HasSubstr(R"("accepted":true)")));
  EXPECT_EQ(Get(id).at("progress").at("fraction"), 0.5);
  EXPECT_THAT(refused("snooze", token, {{"delay_s", 5.0}}), FieldsAre(200, HasSubstr("queued")));
}

TEST_F(WorkerTest, ATypeThatNobodyKnowsFailsAtOnceAlsoBesideTypesOfWorkers) {
  const json::value task = Await(TextOf(Post("/api/v1/tasks", {{"type", "wordcount"}}), "id"), "failed");
  EXPECT_THAT(TextOf(task, "error"), testing::HasSubstr("no executor for task type 'wordcount'"));
}

}  // namespace
}  // namespace seedcore
