#include "ray/serve_config.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ray/serve_deploy.h"

namespace seedcore::ray {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

json::object Recorded(const std::string& name) {
  std::ifstream file(std::string(SEEDCORE_SOURCE_DIR "/src/ray/testdata/") + name);
  auto document = ParseJson(std::string{std::istreambuf_iterator<char>(file), {}});
  EXPECT_TRUE(document) << name;
  return document ? document->as_object() : json::object{};
}

std::string Problem(std::string_view text) {
  const auto config = ParseServeConfig(text);
  EXPECT_FALSE(config) << text;
  return config ? "" : ToString(config.error());
}

/// The value of `x` in an otherwise good configuration.
json::value ValueOf(const std::string& scalar) {
  auto config = ParseServeConfig("x: " + scalar + "\napplications: [{name: a}]\n");
  EXPECT_TRUE(config) << scalar << ": " << (config ? "" : ToString(config.error()));
  return config ? config->at("x") : json::value();
}

TEST(ServeConfig, ReadsYamlAndJsonAlike) {
  const auto yaml = ParseServeConfig(
      "proxy_location: HeadOnly\n"
      "applications:\n"
      "  - name: ml_service\n"
      "    import_path: entrypoints.ml_entrypoint:build_ml_service\n"
      "    deployments:\n"
      "      - name: MLService\n"
      "        ray_actor_options: {num_cpus: 0.2, resources: {\"head_node\": 0.001}}\n");
  const auto from_json = ParseServeConfig(
      R"({"proxy_location": "HeadOnly", "applications": [{"name": "ml_service",
          "import_path": "entrypoints.ml_entrypoint:build_ml_service", "deployments": [{"name": "MLService",
          "ray_actor_options": {"num_cpus": 0.2, "resources": {"head_node": 0.001}}}]}]})");
  ASSERT_TRUE(yaml) << ToString(yaml.error());
  ASSERT_TRUE(from_json) << ToString(from_json.error());
  EXPECT_EQ(*yaml, *from_json);
  EXPECT_THAT(ApplicationNames(*yaml), ElementsAre("ml_service"));
}

TEST(ServeConfig, PlainWordsMeanWhatPyYamlTakesThemFor) {
  EXPECT_EQ(ValueOf("yes"), json::value(true));
  EXPECT_EQ(ValueOf("Off"), json::value(false));
  EXPECT_EQ(ValueOf("~"), json::value());
  EXPECT_EQ(ValueOf("2147483648"), json::value(2147483648));
  EXPECT_EQ(ValueOf("-0.5"), json::value(-0.5));
  EXPECT_EQ(ValueOf("1e3"), json::value(1000.0));
  EXPECT_EQ(ValueOf("'yes'"), json::value("yes"));
  EXPECT_EQ(ValueOf("\"12\""), json::value("12"));
  EXPECT_EQ(ValueOf("2.60.0"), json::value("2.60.0"));
  EXPECT_EQ(ValueOf("0.0.0.0"), json::value("0.0.0.0"));
  EXPECT_EQ(ValueOf("a:b"), json::value("a:b"));
}

TEST(ServeConfig, RefusesWhatReadersOfYamlDisagreeAbout) {
  EXPECT_THAT(Problem("x: 0755\napplications: [{name: a}]"), HasSubstr("line 1: `0755`: octal to some"));
  EXPECT_THAT(Problem("x: 1:30\napplications: [{name: a}]"), HasSubstr("line 1: `1:30`: a number in some versions"));
  EXPECT_THAT(Problem("x: &b {y: 1}\nz:\n  <<: *b\napplications: [{name: a}]"), HasSubstr("merge keys"));
  EXPECT_THAT(Problem("x: 1\nx: 2\napplications: [{name: a}]"), HasSubstr("`x` is there twice"));
}

TEST(ServeConfig, NamesTheLineOrTheApplicationThatIsWrong) {
  EXPECT_THAT(Problem("applications: [\n  {name: a"), HasSubstr("line "));
  EXPECT_THAT(Problem("- a\n- b"), HasSubstr("expected a mapping"));
  EXPECT_THAT(Problem("proxy_location: HeadOnly"), HasSubstr("(applications)"));
  EXPECT_THAT(Problem("applications: []"), HasSubstr("at least one"));
  EXPECT_THAT(Problem("applications: [{name: a}, {import_path: b}]"), HasSubstr("(applications[1])"));
  EXPECT_THAT(Problem("applications: [{name: a}, {name: a}]"), HasSubstr("'a' is there twice"));
}

TEST(ServeConfig, ABombOfAliasesIsRefused) {
  std::string text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) text += before + (k < 9 ? "," : "]\n");
  }
  EXPECT_THAT(Problem(text + "applications: [{name: a}]"), HasSubstr("too large"));
}

TEST(IgnoredKeys, AreFoundByComparingWhatWasAskedWithWhatIsInEffect) {
  // A request full of keys that Serve drops, and what a real Serve made of it.
  const auto info = FromJson<ServeInfo>(Recorded("serve_ignored_keys.json"));
  ASSERT_TRUE(info) << ToString(info.error());
  EXPECT_THAT(
      IgnoredKeys(Recorded("serve_request_with_ignored_keys.json"), *info),
      ::testing::UnorderedElementsAre(
          "bogus_top: ignored by Serve", "http_options.location: ignored by Serve; proxy_location is the key",
          "http_options.bogus: ignored by Serve", "applications.tiny.bogus_app: ignored by Serve",
          "applications.tiny.Tiny.max_concurrent_queries: ignored by Serve; max_ongoing_requests is the key",
          "applications.tiny.Tiny.ray_actor_options.bogus_opt: ignored by Serve",
          "applications.tiny.Tiny.autoscaling_config.target_num_ongoing_requests_per_replica: ignored by Serve; "
          "target_ongoing_requests is the key"));
}

TEST(IgnoredKeys, ThereAreNoneWhenEverythingIsInEffect) {
  const auto info = FromJson<ServeInfo>(Recorded("serve_ignored_keys.json"));
  ASSERT_TRUE(info) << ToString(info.error());
  const auto config = ParseServeConfig(
      "proxy_location: HeadOnly\nhttp_options: {host: 127.0.0.1, port: 47100}\n"
      "applications: [{name: tiny, import_path: 'tiny:build', route_prefix: /tiny, deployments: [{name: Tiny, "
      "max_ongoing_requests: 7, ray_actor_options: {num_cpus: 0}, autoscaling_config: {min_replicas: 1, max_replicas: "
      "1}}]}]");
  ASSERT_TRUE(config) << ToString(config.error());
  EXPECT_THAT(IgnoredKeys(*config, *info), IsEmpty());
}

TEST(IgnoredKeys, AValueThatDidNotTakeEffectIsOne) {
  // http_options of a running Serve can't be changed; it says so in its own log alone.
  const auto info = FromJson<ServeInfo>(Recorded("serve_ignored_keys.json"));
  ASSERT_TRUE(info) << ToString(info.error());
  const auto config = ParseServeConfig("http_options: {port: 9999}\napplications: [{name: tiny}]");
  ASSERT_TRUE(config);
  EXPECT_THAT(IgnoredKeys(*config, *info), ElementsAre("http_options.port: 47100 in effect, not 9999"));
}

TEST(DeploySummary, ATracebackIsCutDownToItsLastLine) {
  const auto info = FromJson<ServeInfo>(Recorded("serve_failed.json"));
  ASSERT_TRUE(info) << ToString(info.error());
  const Deployed tiny = Summarize("tiny", info->applications.at("tiny"));
  EXPECT_EQ(tiny.status, "DEPLOY_FAILED");
  EXPECT_EQ(tiny.message,
            "Failed to update the deployments ['Tiny'].\n"
            "Tiny: ray.serve.exceptions.RayServeException: user_config or rank specified but deployment "
            "Deployment(name='Tiny', "
            "app='tiny') missing reconfigure method");
}

}  // namespace
}  // namespace seedcore::ray
