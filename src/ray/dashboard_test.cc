#include "ray/dashboard.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "net/server.h"
#include "ray/listener_check.h"
#include "ray/version.h"

// Shapes are read from answers of a real Ray 2.60 head (testdata/); calls to a real head are in tests/ray.
namespace seedcore::ray {
namespace {

using ::testing::HasSubstr;

json::value Recorded(const std::string& name) {
  std::ifstream file(std::string(SEEDCORE_SOURCE_DIR "/src/ray/testdata/") + name);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto document = ParseJson(text);
  EXPECT_TRUE(document) << name;
  return document.value_or(json::value());
}

template <class T>
T Read(const json::value& document) {
  auto parsed = FromJson<T>(document);
  EXPECT_TRUE(parsed) << (parsed ? "" : ToString(parsed.error()));
  return parsed.value_or(T{});
}

TEST(DashboardTypes, ReadTheVersion) { EXPECT_EQ(Read<VersionInfo>(Recorded("version.json")).ray_version, "2.60.0"); }

TEST(DashboardTypes, ReadNodesWithVerbatimNamesOfResources) {
  const auto nodes = Read<Listing<NodeInfo>>(Recorded("nodes.json").at_pointer("/data/result"));
  ASSERT_EQ(nodes.result.size(), 1U);
  EXPECT_TRUE(nodes.result[0].is_head_node);
  EXPECT_EQ(nodes.result[0].state, "ALIVE");
  EXPECT_DOUBLE_EQ(nodes.result[0].resources_total.at("head_node"), 1.0);
}

TEST(DashboardTypes, ReadAListOfActorsThatWasCutAtItsLimit) {
  const auto actors = Read<Listing<ActorInfo>>(Recorded("actors.json").at_pointer("/data/result"));
  EXPECT_EQ(actors.result.size(), 3U);
  EXPECT_GT(actors.total, 3);
  EXPECT_EQ(actors.result[0].ray_namespace, "serve");
}

TEST(DashboardTypes, ReadJobsWhoseJobIdIsNull) {
  const auto jobs = Read<std::vector<JobInfo>>(Recorded("jobs.json"));
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].status, "SUCCEEDED");
  EXPECT_EQ(jobs[0].job_id, "");
  EXPECT_THAT(jobs[0].submission_id, ::testing::StartsWith("raysubmit_"));
}

TEST(DashboardTypes, ReadAnApplicationWithItsReplicas) {
  const auto serve = Read<ServeInfo>(Recorded("serve_ignored_keys.json"));
  const ApplicationInfo& application = serve.applications.at("tiny");
  EXPECT_EQ(application.status, "RUNNING");
  EXPECT_EQ(application.route_prefix, "/tiny");
  ASSERT_EQ(application.deployments.at("Tiny").replicas.size(), 1U);
  EXPECT_EQ(application.deployments.at("Tiny").replicas[0].state, "RUNNING");
}

TEST(DashboardTypes, AJobRequestLeavesOutWhatIsNotSet) {
  EXPECT_EQ(ToJsonText(JobRequest{.entrypoint = "echo hi"}), R"({"entrypoint":"echo hi"})");
}

TEST(CamelCaseOf, ResourceNamesIsWhatTheDashboardMakesOfThem) {
  // Every verbatim name of the node has its counterpart in the report of the autoscaler.
  const auto nodes = Read<Listing<NodeInfo>>(Recorded("nodes.json").at_pointer("/data/result"));
  const json::value status = Recorded("cluster_status.json");
  const json::object& usage = status.at_pointer("/data/clusterStatus/loadMetricsReport/usage").as_object();
  for (const auto& [name, total] : nodes.result[0].resources_total)
    EXPECT_TRUE(usage.contains(CamelCase(name))) << name;
  EXPECT_EQ(CamelCase("node:__internal_head__"), "node:InternalHead");
  EXPECT_EQ(CamelCase("accelerator_type:A100"), "acceleratorType:A100");
}

TEST(VersionCheck, WarnsOfAnOlderAndANewerRayAndNamesBoth) {
  EXPECT_EQ(VersionWarning("2.60.0"), std::nullopt);
  EXPECT_EQ(VersionWarning("2.60.4"), std::nullopt);
  EXPECT_EQ(VersionWarning("2.33.0"), "the cluster runs Ray 2.33.0, older than the tested 2.60");
  EXPECT_EQ(VersionWarning("3.0.0rc1"), "the cluster runs Ray 3.0.0rc1, newer than the tested 2.60");
  EXPECT_EQ(VersionWarning("nightly"), "the cluster runs Ray 'nightly'; tested is 2.60");
}

/// A web server that is no dashboard.
class OtherServer {
 public:
  explicit OtherServer(std::string index)
      : server_(net::ServerOptions{.listen = {"127.0.0.1:0"}}, RealEnv(), metrics_) {
    net::Route route{.method = net::Method::kGet, .pattern = "/api/version"};
    route.handler = [index](const net::Request&) { return net::JsonResponse(index); };
    route.requires_auth = false;
    std::vector<net::Route> routes;
    if (!index.empty()) routes.push_back(std::move(route));
    EXPECT_TRUE(server_.AddRoutes(0, std::move(routes)));
    EXPECT_TRUE(server_.Start());
  }
  [[nodiscard]] net::HostPort where() const { return server_.endpoints().at(0); }
  [[nodiscard]] std::string url() const { return "http://" + where().ToString(); }

 private:
  Metrics metrics_;
  net::Server server_;
};

TEST(Dashboard, SaysThatAnotherWebServerIsNone) {
  const OtherServer server("");
  Dashboard dashboard({.url = server.url()}, RealEnv());
  const auto version = dashboard.Version({});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(version.error().message, server.url() + " is a web server, but no Ray dashboard: it has no /api/version");
}

TEST(Dashboard, NamesTheMemberThatHasAnotherShape) {
  const OtherServer server(R"({"ray_version": 2})");
  Dashboard dashboard({.url = server.url()}, RealEnv());
  const auto version = dashboard.Version({});
  ASSERT_FALSE(version);
  EXPECT_THAT(version.error().message, HasSubstr("in a shape this version does not know: expected a string"));
  EXPECT_EQ(version.error().path, "ray_version");
}

TEST(Dashboard, SaysThatNothingListens) {
  net::HostPort where;
  {
    const OtherServer server("");
    where = server.where();
  }
  Dashboard dashboard({.url = "http://" + where.ToString()}, RealEnv());
  const auto version = dashboard.Version({});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(version.error().message, HasSubstr("nothing listens at " + where.ToString()));
}

TEST(Dashboard, RefusesHttpsInOneLine) {
  Dashboard dashboard({.url = "https://127.0.0.1:1"}, RealEnv());
  const auto version = dashboard.Version({});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(version.error().message, HasSubstr("write http://"));
}

TEST(Dashboard, RefusesALimitBeyondRays) {
  Dashboard dashboard({.url = "http://127.0.0.1:1"}, RealEnv());
  for (const int limit : {0, kMaxListed + 1}) {
    const auto actors = dashboard.Actors({}, limit, {});
    ASSERT_FALSE(actors);
    EXPECT_EQ(actors.error().path, "limit");
  }
}

TEST(ListenerCheck, TellsAWebServerFromNothing) {
  net::HostPort where;
  {
    const OtherServer server("");
    where = server.where();
    EXPECT_EQ(CheckListener(where, RealEnv().Now() + std::chrono::seconds(5), RealEnv()), Listener::kHttp);
    EXPECT_TRUE(IsListening(where, RealEnv().Now() + std::chrono::seconds(5), RealEnv()));
  }
  EXPECT_EQ(CheckListener(where, RealEnv().Now() + std::chrono::seconds(5), RealEnv()), Listener::kNothing);
}

}  // namespace
}  // namespace seedcore::ray
