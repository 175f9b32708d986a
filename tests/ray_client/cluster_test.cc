// What a session with a healthy cluster can do, and what it survives.
#include <future>
#include <set>

#include <gmock/gmock.h>

#include "net/client.h"
#include "ray/version.h"
#include "suite.h"
#include "tcp_relay.h"

namespace seedcore::ray {
namespace {

using namespace seedcore::testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

class Cluster : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    head_ = std::make_unique<RayHead>(RayHeadOptions{.ray = RayProgram()});
    ASSERT_TRUE(head_->is_up());
    ASSERT_EQ(head_->RunScript("actors.py", {kNamespace}), 0) << ReadWhole(head_->Log());
  }
  static void TearDownTestSuite() { head_.reset(); }

  static RayClientOptions Options() { return {.address = head_->client_address(), .ray_namespace = kNamespace}; }

  static std::unique_ptr<RayClient> Connect(const RayClientOptions& options = Options()) {
    auto client = ConnectRayClient(options, RealEnv(), WithinSeconds(60));
    EXPECT_TRUE(client) << ToString(client.error());
    return client ? std::move(*client) : nullptr;
  }

  static PyValue Json(const char* text) { return *PyFromJson(*ParseJson(text)); }
  static PyValue::List Args(const char* text) { return std::get<PyValue::List>(Json(text).data); }
  static PyValue::Dict Kwargs(const char* text) { return std::get<PyValue::Dict>(Json(text).data); }

  static Result<PyValue> Call(RayClient& client, const std::string& method, const char* args = "[]", int seconds = 30) {
    return client.CallActor({.actor = "probe", .method = method, .args = Args(args)}, WithinSeconds(seconds));
  }

  /// Whether wait_for(number) is under way.
  static bool IsWaiting(RayClient& client, int number) {
    const auto waits = Call(client, "is_waiting", fmt::format("[{}]", number).c_str());
    return waits && *waits == PyValue{true};
  }

  /// Status of the jobs that Ray Client servers run, by id.
  static std::map<std::string, std::string> ClientJobs() {
    net::Client dashboard({.base_url = head_->dashboard_url()}, RealEnv());
    const auto response = dashboard.Send({.target = "/api/jobs/"}, WithinSeconds(10));
    std::map<std::string, std::string> jobs;
    if (!response) return jobs;
    const auto listed = ParseJson(response->body);
    for (const json::value& job : listed->as_array()) {
      if (!WriteJson(job.at("entrypoint")).contains("ray.util.client.server")) continue;
      jobs[WriteJson(job.at("job_id"))] = std::string(job.at("status").as_string());
    }
    return jobs;
  }

  inline static std::unique_ptr<RayHead> head_;
};

TEST_F(Cluster, TellsItsVersionNodesAndResources) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  EXPECT_THAT(client->ConnectionInfo().ray_version, HasSubstr("2."));
  EXPECT_FALSE(client->ConnectionInfo().python_version.empty());
  EXPECT_GE(client->ConnectionInfo().clients, 1);
  EXPECT_EQ(client->ConnectionInfo().version_warning.empty(),
            client->ConnectionInfo().ray_version.starts_with(std::string(kTestedRay)));
  const auto info = client->ClusterInfo(WithinSeconds(10));
  ASSERT_TRUE(info) << ToString(info.error());
  EXPECT_EQ(info->total.at("CPU"), 2.0);
  EXPECT_EQ(info->available.at("CPU"), 2.0);
  EXPECT_TRUE(info->total.contains("node:__internal_head__")) << "resource names are not rewritten";
  EXPECT_EQ(info->nodes.size(), 1U);
  EXPECT_THAT(info->dashboard_url, HasSubstr(head_->dashboard_url().substr(7)));
}

TEST_F(Cluster, KeepsKeysAndValues) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const CallContext call = WithinSeconds(20);
  const std::string value("\x00\xff text", 7);
  EXPECT_EQ(*client->KvGet("space", "a", call), std::nullopt);
  EXPECT_EQ(*client->KvPut("space", "a", value, true, call), false);
  EXPECT_EQ(*client->KvGet("space", "a", call), value);
  EXPECT_EQ(*client->KvGet("other", "a", call), std::nullopt) << "namespaces are separate";
  EXPECT_EQ(*client->KvPut("space", "a", "new", false, call), true);
  EXPECT_EQ(*client->KvGet("space", "a", call), value) << "without overwrite the old value stays";
  EXPECT_EQ(*client->KvPut("space", "ab", "2", true, call), false);
  EXPECT_EQ(*client->KvExists("space", "ab", call), true);
  EXPECT_THAT(*client->KvList("space", "a", call), ElementsAre("a", "ab"));
  EXPECT_EQ(*client->KvDelete("space", "a", true, call), 2);
  EXPECT_EQ(*client->KvExists("space", "ab", call), false);
}

TEST_F(Cluster, ListsNamedActors) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto own = client->ListNamedActors(false, WithinSeconds(10));
  ASSERT_TRUE(own) << ToString(own.error());
  EXPECT_THAT(*own, Contains(Field(&NamedActor::name, "probe")));
  const auto stranger = Connect({.address = head_->client_address(), .ray_namespace = "elsewhere"});
  ASSERT_NE(stranger, nullptr);
  EXPECT_TRUE(stranger->ListNamedActors(false, WithinSeconds(10))->empty());
  EXPECT_THAT(*stranger->ListNamedActors(true, WithinSeconds(10)), Contains(Field(&NamedActor::ray_namespace, "seed")));
}

TEST_F(Cluster, CallsActorsWithPlainData) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto echoed = client->CallActor(
      {.actor = "probe",
       .method = "echo",
       .args =
           Args(R"([null, true, -7, 18446744073709551615, 0.5, "ä𝄞", {"$bytes": "AP8="}, [1, [2]], {"$tuple": [1]}])"),
       .kwargs = Kwargs(R"({"deep": {"a": {"b": []}}, "nan": {"$float": "nan"}})")},
      WithinSeconds(30));
  ASSERT_TRUE(echoed) << ToString(echoed.error());
  EXPECT_EQ(WriteJson(PyToJson(*echoed)),
            R"({"args":[null,true,-7,18446744073709551615,0.5,"ä𝄞",{"$bytes":"AP8="},[1,[2]],{"$tuple":[1]}],)"
            R"("kwargs":{"deep":{"a":{"b":[]}},"nan":{"$float":"nan"}}})");
  EXPECT_EQ(*Call(*client, "types", R"([1, 1.0, "", {"$bytes": ""}, [], {"$tuple": []}, {}, null, true])"),
            Json(R"(["int","float","str","bytes","list","tuple","dict","NoneType","bool"])"));
  EXPECT_EQ(*Call(*client, "nothing"), PyValue{});
}

TEST_F(Cluster, CarriesArgumentsAndResultsOfSeveralMessages) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const std::string long_text(12'000'000, 'x');
  const auto echoed =
      client->CallActor({.actor = "probe", .method = "echo", .args = {PyValue{long_text}}}, WithinSeconds(60));
  ASSERT_TRUE(echoed) << ToString(echoed.error());
  const auto& dict = std::get<PyValue::Dict>(echoed->data);
  EXPECT_EQ(std::get<PyValue::List>(dict.at(0).value.data).at(0), PyValue{long_text});
  EXPECT_EQ(*Call(*client, "add", "[0]"), *Call(*client, "add", "[0]")) << "the session goes on";
}

TEST_F(Cluster, TellsWhatAMethodRaised) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto failed = Call(*client, "fail", R"(["no such thing: ä"])");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kNonRetryable);
  EXPECT_EQ(failed.error().message, "ValueError: no such thing: ä");
  const auto own = Call(*client, "fail_own", "[3]");
  ASSERT_FALSE(own);
  EXPECT_THAT(own.error().message, HasSubstr("Broken: broken with code"));
  EXPECT_EQ(Call(*client, "add", R"(["not a number"])").error().code, ErrorCode::kNonRetryable);
}

TEST_F(Cluster, SaysWhatIsMissingOrDoesNotFit) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto nobody = client->CallActor({.actor = "nobody", .method = "add"}, WithinSeconds(10));
  EXPECT_EQ(nobody.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(nobody.error().message, "no actor 'nobody' in namespace 'seed'");
  const auto elsewhere =
      client->CallActor({.actor = "probe", .method = "add", .ray_namespace = "elsewhere"}, WithinSeconds(10));
  EXPECT_EQ(elsewhere.error().message, "no actor 'probe' in namespace 'elsewhere'");
  const auto method = Call(*client, "subtract");
  EXPECT_EQ(method.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(method.error().message, "actor 'probe' has no method 'subtract'");
  const auto arguments = Call(*client, "add");
  EXPECT_EQ(arguments.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(arguments.error().message, HasSubstr("TypeError: missing a required argument: 'amount'"));
  const auto opaque = Call(*client, "opaque");
  EXPECT_EQ(opaque.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(opaque.error().message, HasSubstr("only plain data is read"));
}

TEST_F(Cluster, AnswersManyThreadsAtOnce) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  std::vector<std::future<std::string>> replies;
  for (int i = 0; i < 16; ++i) {
    replies.push_back(std::async(std::launch::async, [&client, i] {
      std::string wrong;
      for (int k = 0; k < 10; ++k) {
        const std::string args = fmt::format("[{}, {}]", i, k);
        const auto reply = Call(*client, "echo", args.c_str());
        const std::string text = reply ? WriteJson(PyToJson(*reply)) : ToString(reply.error());
        if (text != fmt::format(R"({{"args":[{},{}],"kwargs":{{}}}})", i, k)) wrong += text;
      }
      return wrong;
    }));
  }
  for (auto& reply : replies) EXPECT_EQ(reply.get(), "");
}

TEST_F(Cluster, EndsACallAtItsDeadlineAndWhenItIsStopped) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const Instant start = RealEnv().Now();
  EXPECT_EQ(Call(*client, "wait", "[]", 1).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(RealEnv().Now() - start, std::chrono::seconds(5));
  CallContext call = WithinSeconds(30);
  std::stop_source stop;
  call.stop = stop.get_token();
  auto stopped =
      std::async(std::launch::async, [&] { return client->CallActor({.actor = "probe", .method = "wait"}, call); });
  stop.request_stop();
  EXPECT_EQ(stopped.get().error().code, ErrorCode::kCancelled);
}

TEST_F(Cluster, ComesBackAfterACutConnection) {
  TcpRelay relay(head_->client_port());
  auto options = Options();
  options.address = fmt::format("127.0.0.1:{}", relay.port());
  const auto client = Connect(options);
  ASSERT_NE(client, nullptr);
  const auto before = std::get<std::int64_t>(Call(*client, "add", "[1]")->data);

  // A call that is under way while the cable is cut gets its result, and its method is called once.
  auto waiting = std::async(std::launch::async, [&] { return Call(*client, "wait_for", "[1]"); });
  ASSERT_TRUE(Eventually([&] { return IsWaiting(*client, 1); }));
  relay.Cut(true);
  relay.Mend();
  EXPECT_EQ(*Call(*client, "release", "[1]"), PyValue{});
  const auto waited = waiting.get();
  ASSERT_TRUE(waited) << ToString(waited.error());
  EXPECT_EQ(*waited, PyValue{std::string("open")});

  for (int i = 0; i < 3; ++i) {
    relay.Cut(false);
    const auto added = Call(*client, "add", "[1]");
    ASSERT_TRUE(added) << ToString(added.error());
    EXPECT_EQ(std::get<std::int64_t>(added->data), before + i + 1) << "not called twice";
    EXPECT_EQ(*client->KvGet("space", "none", WithinSeconds(20)), std::nullopt);
  }
}

TEST_F(Cluster, GivesUpWhenTheConnectionStaysCut) {
  TcpRelay relay(head_->client_port());
  auto options = Options();
  options.address = fmt::format("127.0.0.1:{}", relay.port());
  options.reconnect_grace = std::chrono::seconds(1);
  const auto client = Connect(options);
  ASSERT_NE(client, nullptr);
  relay.Cut(true);
  const auto lost = Call(*client, "add", "[0]");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(lost.error().message, HasSubstr("it did not come back within 1 s"));
  relay.Mend();
  EXPECT_EQ(client->KvGet("space", "a", WithinSeconds(5)).error().code, ErrorCode::kUnavailable) << "dead stays dead";
}

TEST_F(Cluster, EndsItsJobWithAGoodbye) {
  const auto before = ClientJobs();
  std::string job;
  {
    const auto client = Connect();
    ASSERT_NE(client, nullptr);
    ASSERT_TRUE(Eventually([&] {
      for (const auto& [id, status] : ClientJobs()) {
        if (!before.contains(id)) job = id;
      }
      return !job.empty();
    }));
    client->Close();
    EXPECT_EQ(Call(*client, "add", "[0]").error().code, ErrorCode::kUnavailable);
  }
  // Ray itself waits the grace period of a session that ended without a goodbye; well below that it must be gone.
  EXPECT_TRUE(Eventually([&] { return ClientJobs()[job] == "SUCCEEDED"; }, std::chrono::seconds(15)))
      << job << " is " << ClientJobs()[job];
}

// The last two break what the tests before need.

TEST_F(Cluster, ReportsASessionServerKilledInMidCall) {
  const auto client = Connect();  // with the grace period of 30 s, in which the proxy itself says nothing
  ASSERT_NE(client, nullptr);
  auto waiting = std::async(std::launch::async, [&] { return Call(*client, "wait_for", "[99]", 60); });
  ASSERT_TRUE(Eventually([&] { return IsWaiting(*client, 99); }));
  ASSERT_GE(head_->KillServers("--mode=specific-server"), 1U);
  const Instant start = RealEnv().Now();
  const auto waited = waiting.get();
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(waited.error().message, HasSubstr("the session's server process is gone"));
  EXPECT_LT(RealEnv().Now() - start, std::chrono::seconds(15)) << "silence of 2 s, and twice 3 s without an answer";
}

TEST_F(Cluster, ReportsAClientServerKilledInMidCall) {
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  auto waiting = std::async(std::launch::async, [&] { return Call(*client, "wait_for", "[98]", 5); });
  ASSERT_TRUE(Eventually([&] { return IsWaiting(*client, 98); }));
  ASSERT_GE(head_->KillServers("--mode=proxy"), 1U);
  const auto waited = waiting.get();
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, ErrorCode::kUnavailable) << waited.error().message;
  EXPECT_THAT(waited.error().message, HasSubstr("the connection to Ray broke")) << "within the deadline of the call";
  const auto probed = ProbeRayClientServer(Options(), RealEnv(), WithinSeconds(5));
  EXPECT_EQ(probed.error().message, head_->client_address() + ": nothing listens there");
}

}  // namespace
}  // namespace seedcore::ray
