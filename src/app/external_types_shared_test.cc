// Processes with different settings on one store: what is left to workers outside is left by all of them.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "app/dispatch_host.h"
#include "app/platform.h"
#include "base/json.h"
#include "base/testing.h"
#include "net/client.h"
#include "store/postgres/testing.h"

namespace seedcore::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr milliseconds kLongEnough = seconds(60);

class ExternalTypesOnPostgres : public testing::Test {
 protected:
  ExternalTypesOnPostgres() {
    static int made = 0;
    const std::string database = fmt::format("external_types_{}", ++made);
    auto& server = store::postgres::TestServer::Shared();
    server.CreateDatabase(database);
    settings_.server.listen.port = 0;
    settings_.server.api_listen.port = 0;
    settings_.store.data_dir = folder_.path();
    settings_.store.pg_dsn = server.Dsn(database);
    settings_.queue.concurrency = 4;
  }

  std::unique_ptr<Platform> Start(std::vector<std::string> external_types, bool dispatches = true) {
    settings::Settings settings = settings_;
    settings.queue.external_types = std::move(external_types);
    settings.queue.dispatch_elsewhere = !dispatches;
    auto started = Platform::Start(settings, RealEnv());
    if (!started) throw std::runtime_error(ToString(started.error()));
    return std::move(*started);
  }
  /// As `seedcore dispatch` does it, without a word about external types.
  std::unique_ptr<DispatchHost> Host(const Platform& services, std::vector<std::string> types = {}) {
    auto host = DispatchHost::Start({.name = "host", .gateway_url = services.services_url(), .types = std::move(types)},
                                    settings_, RealEnv());
    if (!host) throw std::runtime_error(ToString(host.error()));
    return std::move(*host);
  }
  static Result<net::Response> Send(const Platform& platform, net::Method method, const std::string& target,
                                    const std::string& body = "") {
    net::Client client({.base_url = platform.api_url()}, RealEnv());
    return client.Send({.method = method, .target = target, .body = body}, {});
  }
  static json::value Post(const Platform& platform, const std::string& target, const std::string& body = "{}") {
    const auto answer = Send(platform, net::Method::kPost, target, body);
    if (!answer) throw std::runtime_error(ToString(answer.error()));
    if (answer->status >= 300) throw std::runtime_error(fmt::format("{}: {}", answer->status, answer->body));
    return ParseJson(answer->body).value();
  }
  static json::value Get(const Platform& platform, const std::string& target) {
    const auto answer = Send(platform, net::Method::kGet, target);
    if (!answer) throw std::runtime_error(ToString(answer.error()));
    return ParseJson(answer->body).value();
  }
  static std::string Text(const json::value& object, const char* name) {
    return std::string(object.at(name).as_string());
  }
  static std::string Submit(const Platform& platform, const std::string& type) {
    return Text(Post(platform, "/api/v1/tasks", fmt::format(R"({{"type":"{}"}})", type)), "id");
  }
  /// Claims and completes tasks of the type over HTTP until `count` are done.
  static void Work(const Platform& platform, const std::string& type, int count) {
    const Instant give_up = RealEnv().Now() + kLongEnough;
    while (count > 0 && RealEnv().Now() < give_up) {
      const json::value claims =
          Post(platform, "/api/v1/workers/claim",
               fmt::format(R"({{"worker_id":"outside","types":["{}"],"limit":10,"wait_s":5}})", type));
      for (const json::value& claim : claims.at("items").as_array()) {
        Post(platform, "/api/v1/workers/complete",
             fmt::format(R"({{"worker_id":"outside","id":"{}","fencing_token":{}}})", Text(claim.at("task"), "id"),
                         claim.at("fencing_token").to_number<std::int64_t>()));
        --count;
      }
    }
    EXPECT_EQ(count, 0) << "still to be done";
  }
  static std::vector<std::string> EventsOf(const Platform& platform, const std::string& id) {
    std::vector<std::string> kinds;
    const json::value history = Get(platform, "/api/v1/tasks/" + id + "/events");
    for (const json::value& event : history.at("events").as_array()) kinds.push_back(Text(event, "kind"));
    return kinds;
  }
  /// Nobody but the worker has executed it, and no attempt counts but the worker's.
  static void ExpectDoneOutside(const Platform& platform, const std::string& id) {
    const json::value task = Get(platform, "/api/v1/tasks/" + id);
    EXPECT_EQ(Text(task, "status"), "completed") << WriteJson(task);
    EXPECT_EQ(task.at("attempts").to_number<int>(), 1) << WriteJson(task);
    const auto kinds = EventsOf(platform, id);
    EXPECT_THAT(kinds, Not(Contains("failed")));
    EXPECT_THAT(kinds, Not(Contains("retry")));
  }

  test::TemporaryFolder folder_;
  settings::Settings settings_;
};

TEST_F(ExternalTypesOnPostgres, TasksAreLeftToTheWorkerWhicheverProcessTheyAreSubmittedThrough) {
  const auto with = Start({"resize"});
  const auto without = Start({});
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(Submit(*with, "resize"));
    ids.push_back(Submit(*without, "resize"));
  }
  Work(*without, "resize", 20);
  for (const std::string& id : ids) {
    ExpectDoneOutside(*with, id);
    EXPECT_THAT(EventsOf(*with, id), Not(Contains("handed_back"))) << "who starts later knows from its start";
  }
}

TEST_F(ExternalTypesOnPostgres, AProcessThatRunsAlreadyHandsBackWhatItHasClaimedAndClaimsNoMoreOfIt) {
  const auto without = Start({}, false);
  const auto host = Host(*without);
  const auto with = Start({"resize"});
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(Submit(*without, "resize"));
  Work(*with, "resize", 40);
  for (const std::string& id : ids) ExpectDoneOutside(*with, id);
  EXPECT_LE(host->Status().dispatcher->claimed, 2 * settings_.queue.concurrency) << "it must not spin";
  EXPECT_EQ(host->Status().dispatcher->failed, 0);
  const auto proven = host->Prove(1, kLongEnough);
  ASSERT_TRUE(proven) << ToString(proven.error());
  EXPECT_EQ(proven->front().status, "completed") << "what has an executor is still claimed";
}

TEST_F(ExternalTypesOnPostgres, AHostThatIsToClaimAnExternalTypeDoesNotSpinOverIt) {
  const auto services = Start({"resize"}, false);
  const auto host = Host(*services, {"resize", "health_check"});
  const std::string id = Submit(*services, "resize");
  const auto proven = host->Prove(1, kLongEnough);
  ASSERT_TRUE(proven) << ToString(proven.error());
  EXPECT_EQ(proven->front().status, "completed");
  EXPECT_EQ(host->Status().dispatcher->claimed, 1);
  Work(*services, "resize", 1);
  ExpectDoneOutside(*services, id);
}

TEST_F(ExternalTypesOnPostgres, AFirstWorkerWorksWithoutAnySetting) {
  const auto one = Start({});
  const auto two = Start({});
  EXPECT_THAT(
      Post(*one, "/api/v1/workers/claim", R"({"worker_id":"outside","types":["resize"]})").at("items").as_array(),
      testing::IsEmpty());
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(Submit(*one, "resize"));
    ids.push_back(Submit(*two, "resize"));
  }
  Work(*two, "resize", 20);
  for (const std::string& id : ids) ExpectDoneOutside(*one, id);
}

TEST_F(ExternalTypesOnPostgres, ATypeThatIsNotExternalIsTriedWhateverElseIsExternal) {
  const auto one = Start({"resize"});
  const std::string id = Submit(*one, "nobody_knows_it");
  EXPECT_TRUE(test::Eventually([&] { return Text(Get(*one, "/api/v1/tasks/" + id), "status") == "failed"; }));
  EXPECT_THAT(Text(Get(*one, "/api/v1/tasks/" + id), "error"), testing::HasSubstr("nobody_knows_it"));
}

}  // namespace
}  // namespace seedcore::app
