#include "ray/connection_plan.h"

#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "base/strings.h"
#include "ray/address.h"

namespace seedcore::ray {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) cells.emplace_back(Trim(cell));
  return cells;
}

/// The rows of the table that follows `<!-- name -->` in docs/ray-connection.md.
std::vector<std::vector<std::string>> Table(const std::string& name) {
  std::ifstream file(SEEDCORE_SOURCE_DIR "/docs/ray-connection.md");
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  int header = 0;
  for (std::string line; std::getline(file, line);) {
    if (line == "<!-- " + name + " -->") inside = true;
    if (line == "<!-- end -->") inside = false;
    if (inside && line.starts_with('|') && ++header > 2) rows.push_back(Cells(line));
  }
  return rows;
}

/// The texts between backquotes.
std::vector<std::string> Quoted(const std::string& cell) {
  std::vector<std::string> found;
  std::istringstream in(cell);
  std::string part;
  for (bool quoted = false; std::getline(in, part, '`'); quoted = !quoted) {
    if (quoted) found.push_back(part);
  }
  return found;
}

void SetArgument(PlanArguments& arguments, const std::string& name, const std::string& value) {
  if (name == "address") {
    arguments.address = value;
  } else if (name == "namespace") {
    arguments.ray_namespace = value;
  } else if (name == "serve_url") {
    arguments.serve_url = value;
  } else if (name == "dashboard_url") {
    arguments.dashboard_url = value;
  } else {
    ADD_FAILURE() << "no argument is called " << name;
  }
}

PlanInput ReadGiven(const std::string& cell, const std::string& purpose) {
  PlanInput input;
  input.arguments.purpose = EnumFromString<Purpose>(purpose).value();
  for (const std::string& item : Quoted(cell)) {
    const std::size_t colon = item.find(':');
    const std::string kind = colon == std::string::npos ? "" : item.substr(0, colon);
    const std::string rest = item.substr(colon + 1);
    const std::size_t equals = rest.find('=');
    const std::string name = rest.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : rest.substr(equals + 1);
    if (kind == "open" || kind == "closed") {
      input.reachable[rest] = kind == "open";
    } else if (kind == "file") {
      EXPECT_EQ(name, "ray_current_cluster");
      input.files.current_cluster = value;
    } else if (kind == "setting") {
      input.files.settings[name] = {value, "file seedcore.yaml line 1"};
    } else if (kind == "argument") {
      SetArgument(input.arguments, name, value);
    } else {
      input.environment[item.substr(0, item.find('='))] = item.substr(item.find('=') + 1);
    }
  }
  return input;
}

std::string Code(const std::string& cell) { return Quoted(cell).empty() ? cell : Quoted(cell).front(); }

class DocumentedPlan : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(DocumentedPlan, IsWhatTheTableSays) {
  const auto& row = GetParam();
  ASSERT_EQ(row.size(), 8U) << row.front();
  const auto plan = MakeConnectionPlan(ReadGiven(row[1], row[2]));
  ASSERT_TRUE(plan) << row[0] << ": " << ToString(plan.error());
  const bool expects_warning = row[3].ends_with('!');
  EXPECT_EQ(EnumToString(plan->mode), row[3].substr(0, row[3].size() - (expects_warning ? 1 : 0))) << row[0];
  EXPECT_EQ(plan->address.value, Code(row[4])) << row[0];
  EXPECT_EQ(plan->serve_url.value, Code(row[5])) << row[0];
  EXPECT_EQ(plan->dashboard_url.value, Code(row[6])) << row[0];
  EXPECT_EQ(plan->ray_namespace.value, Code(row[7])) << row[0];
  EXPECT_EQ(!plan->warnings.empty(), expects_warning)
      << row[0] << ": " << (plan->warnings.empty() ? "no warning" : plan->warnings.front());
  for (const Decision* decision : {&plan->address, &plan->serve_url, &plan->dashboard_url, &plan->ray_namespace}) {
    EXPECT_FALSE(decision->source.empty()) << row[0];
  }
}
INSTANTIATE_TEST_SUITE_P(Rows, DocumentedPlan, ::testing::ValuesIn(Table("plans")));

class DocumentedError : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(DocumentedError, IsWhatTheTableSays) {
  const auto& row = GetParam();
  ASSERT_EQ(row.size(), 3U) << row.front();
  const auto plan = MakeConnectionPlan(ReadGiven(row[0], row[1]));
  ASSERT_FALSE(plan) << row[0];
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(plan.error().message, row[2]);
  EXPECT_FALSE(plan.error().path.empty());
}
INSTANTIATE_TEST_SUITE_P(Rows, DocumentedError, ::testing::ValuesIn(Table("errors")));

TEST(ConnectionPlan, TheTablesAreThere) {
  EXPECT_GT(Table("plans").size(), 30U);
  EXPECT_GT(Table("errors").size(), 15U);
}

TEST(ConnectionPlan, SaysWhatWasPassedOverAndWhy) {
  PlanInput input;
  input.environment = {{"RAY_ADDRESS", "ray://a:10001"}, {"RAY_HOST", "b"}, {"RAY_SERVE_URL", "http://u:pw@s:1"}};
  input.arguments.serve_url = "http://mine:8000";
  const auto plan = MakeConnectionPlan(input);
  ASSERT_TRUE(plan) << ToString(plan.error());
  ASSERT_EQ(plan->address.passed_over.size(), 1U);
  EXPECT_EQ(plan->address.passed_over[0].value, "b:10001");
  EXPECT_EQ(plan->address.passed_over[0].source, "environment RAY_HOST");
  EXPECT_EQ(plan->address.passed_over[0].reason, "environment RAY_ADDRESS comes first");
  ASSERT_EQ(plan->warnings.size(), 1U);
  EXPECT_EQ(plan->warnings[0],
            "RAY_ADDRESS=ray://a:10001 and RAY_HOST=b:10001 contradict each other; RAY_ADDRESS counts");
  ASSERT_EQ(plan->serve_url.passed_over.size(), 1U);
  EXPECT_EQ(plan->serve_url.passed_over[0].value, "http://u:***@s:1");
}

TEST(ConnectionPlan, ATokenIsNeverWrittenToJson) {
  PlanInput input;
  input.environment = {{"RAY_ADDRESS", "ray://a:10001"}, {"RAY_AUTH_MODE", "token"}, {"RAY_AUTH_TOKEN", "s3cret"}};
  const auto plan = MakeConnectionPlan(input);
  ASSERT_TRUE(plan) << ToString(plan.error());
  EXPECT_EQ(plan->token, "s3cret");
  EXPECT_EQ(plan->token_source, "environment RAY_AUTH_TOKEN");
  const std::string text = ToJsonText(*plan);
  EXPECT_THAT(text, HasSubstr(R"("auth":"token")"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("s3cret")));
  EXPECT_TRUE(FromJsonText<ConnectionPlan>(text)) << text;
}

TEST(ConnectionPlan, ATokenFileIsReadWithoutItsLineEnd) {
  PlanInput input;
  input.environment = {{"RAY_AUTH_MODE", "token"}};
  input.files.default_token = "abc\n";
  const auto plan = MakeConnectionPlan(input);
  ASSERT_TRUE(plan) << ToString(plan.error());
  EXPECT_EQ(plan->token, "abc");
  EXPECT_EQ(plan->token_source, "file ~/.ray/auth_token");
}

TEST(ConnectionPlan, RayOnThisHostTurnsTokenModeOnByItselfWhereThereIsAToken) {
  PlanInput input;
  input.files.default_token = "abc\n";
  input.files.current_cluster = "192.0.2.7:6379";
  input.reachable = {{"192.0.2.7:6379", true}};
  auto plan = MakeConnectionPlan(input);
  ASSERT_TRUE(plan) << ToString(plan.error());
  EXPECT_EQ(plan->auth, AuthMode::kToken);
  EXPECT_EQ(plan->token, "abc");
  EXPECT_EQ(plan->token_source, "file ~/.ray/auth_token");
  EXPECT_THAT(plan->token_reason, HasSubstr("RAY_AUTH_MODE is not set"));
  input.environment = {{"RAY_AUTH_TOKEN", "other"}};
  plan = MakeConnectionPlan(input);
  EXPECT_EQ(plan->token_source, "environment RAY_AUTH_TOKEN");
  EXPECT_THAT(plan->warnings, ::testing::IsEmpty());
  input.environment = {{"RAY_AUTH_MODE", "disabled"}};
  EXPECT_EQ(MakeConnectionPlan(input)->auth, AuthMode::kNone);
  input.environment.clear();
  input.files.default_token.reset();
  EXPECT_EQ(MakeConnectionPlan(input)->auth, AuthMode::kNone);
}

TEST(ConnectionPlan, ATokenIsNotSentUnaskedToAnAddressThatSomebodyNamed) {
  PlanInput input;
  input.files.default_token = "abc";
  input.environment = {{"RAY_ADDRESS", "ray://a:10001"}};
  auto plan = MakeConnectionPlan(input);
  ASSERT_TRUE(plan) << ToString(plan.error());
  EXPECT_EQ(plan->auth, AuthMode::kNone);
  EXPECT_EQ(plan->token, "");
  input.environment["RAY_AUTH_MODE"] = "token";
  plan = MakeConnectionPlan(input);
  EXPECT_EQ(plan->token, "abc");
  EXPECT_EQ(plan->token_reason, "RAY_AUTH_MODE=token");
  input.environment.clear();  // and nothing runs here: a cluster of its own makes its own token
  EXPECT_EQ(MakeConnectionPlan(input)->auth, AuthMode::kNone);
}

TEST(ConnectionPlan, NothingIsProbedWhenAnAddressWasGiven) {
  PlanInput input;
  input.files.current_cluster = "192.0.2.7:6379";
  input.environment = {{"RAY_ADDRESS", "ray://a:10001"}};
  EXPECT_THAT(AddressesToProbe(input), ::testing::IsEmpty());
  input.environment = {{"RAY_HOST", "a"}};
  EXPECT_THAT(AddressesToProbe(input), ::testing::IsEmpty());
  input.environment = {{"RAY_ADDRESS", "auto"}};
  EXPECT_THAT(AddressesToProbe(input), ::testing::ElementsAre("192.0.2.7:6379", "127.0.0.1:8265"));
  input.environment.clear();
  EXPECT_THAT(AddressesToProbe(input), ::testing::ElementsAre("192.0.2.7:6379", "127.0.0.1:10001", "127.0.0.1:8265"));
}

/// A value for a variable: sensible, half right, hostile, or noise.
std::string AnyValue(SimEnv& random) {
  static const std::vector<std::string> kPool{"",
                                              " ",
                                              "auto",
                                              "AUTO",
                                              "local",
                                              "ray://h:10001",
                                              "ray://h",
                                              "ray://",
                                              "ray:///",
                                              "ray://h:6379",
                                              "h:6379",
                                              "h:10001",
                                              "h",
                                              ":",
                                              ":6379",
                                              "h:",
                                              "[::1]:6379",
                                              "[",
                                              "]",
                                              "[]:1",
                                              "::1",
                                              "http://h:8265",
                                              "https://h",
                                              "http://",
                                              "http://h:10001/x",
                                              "10001",
                                              "6379",
                                              "8265",
                                              "0",
                                              "-1",
                                              "99999999999",
                                              "tcp://10.0.0.1:80",
                                              "http://u:p@h:1",
                                              "h h:1",
                                              "h\n:1",
                                              "\xff\xfe",
                                              "token",
                                              "disabled",
                                              "seedcore-svc-head-svc",
                                              "ray start --head",
                                              "-head-svc-head-svc:6379",
                                              "ray://h:10001/path?x",
                                              "127.0.0.1:6379",
                                              "localhost:0"};
  if (random.Random() % 5 != 0) return kPool[random.Random() % kPool.size()];
  std::string noise(random.Random() % 12, ' ');
  for (char& c : noise) c = static_cast<char>(random.Random() % 255 + 1);
  return noise;
}

TEST(ConnectionPlan, AnyEnvironmentGivesAPlanOrAnErrorThatNamesAVariableAndNeverLocalWhenAClusterWasMeant) {
  const std::vector<std::string> variables{"RAY_ADDRESS",
                                           "RAY_HOST",
                                           "RAY_PORT",
                                           "RAY_SERVE_URL",
                                           "RAY_SERVE_ADDRESS",
                                           "RAY_DASHBOARD_URL",
                                           "SERVE_GATEWAY",
                                           "SEEDCORE_NS",
                                           "RAY_NAMESPACE",
                                           "RAY_AUTH_MODE",
                                           "RAY_AUTH_TOKEN",
                                           "RAY_AUTH_TOKEN_PATH",
                                           "FQ_RAY_IP",
                                           "KUBERNETES_SERVICE_HOST",
                                           "KUBERAY_GEN_RAY_START_CMD",
                                           "RAY_DASHBOARD_ADDRESS",
                                           "RAY_API_SERVER_ADDRESS"};
  SimEnv random(20260);
  std::map<std::string, int> outcomes;
  for (int round = 0; round < 20'000; ++round) {
    PlanInput input;
    input.arguments.purpose = random.Random() % 2 == 0 ? Purpose::kConnect : Purpose::kRest;
    for (const std::string& variable : variables) {
      if (random.Random() % 4 == 0) input.environment[variable] = AnyValue(random);
    }
    if (random.Random() % 4 == 0) input.arguments.address = AnyValue(random);
    if (random.Random() % 4 == 0) input.files.current_cluster = AnyValue(random);
    if (random.Random() % 4 == 0) input.reachable["127.0.0.1:10001"] = random.Random() % 2 == 0;
    const auto plan = MakeConnectionPlan(input);
    (void)AddressesToProbe(input);
    const auto set = [&](const std::string& variable) {
      const auto found = input.environment.find(variable);
      return found == input.environment.end() ? std::string() : std::string(Trim(found->second));
    };
    if (!plan) {
      ++outcomes["error"];
      ASSERT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
      ASSERT_FALSE(plan.error().path.empty()) << plan.error().message;
      ASSERT_THAT(plan.error().message, HasSubstr(plan.error().path));
      continue;
    }
    ++outcomes[std::string(EnumToString(plan->mode))];
    ASSERT_FALSE(plan->address.value.empty());
    if (input.arguments.purpose == Purpose::kConnect) {
      ASSERT_NE(plan->mode, Mode::kDashboard);
    }
    if (plan->mode != Mode::kLocal) continue;
    const std::string argument = ToLower(Trim(input.arguments.address));
    const std::string address = ToLower(set("RAY_ADDRESS"));
    if (argument == "local" || ((argument.empty() || argument == "auto") && address == "local")) continue;
    ASSERT_TRUE(argument.empty()) << argument;
    for (const char* meant :
         {"RAY_ADDRESS", "RAY_HOST", "RAY_SERVE_URL", "RAY_DASHBOARD_URL", "FQ_RAY_IP", "KUBERNETES_SERVICE_HOST"}) {
      ASSERT_EQ(set(meant), "") << meant;
    }
  }
  // The generator reaches every outcome; otherwise the property says little.
  for (const char* outcome : {"error", "client", "cluster", "local", "dashboard"})
    EXPECT_GT(outcomes[outcome], 50) << outcome;
}

TEST(ConnectionPlan, UrlsAreMadeCanonical) {
  EXPECT_EQ(NormalizeUrl("h", 8265).value(), "http://h:8265");
  EXPECT_EQ(NormalizeUrl("HTTP://h:1//", 8265).value(), "http://h:1");
  EXPECT_EQ(NormalizeUrl("https://h/ray/", 8265).value(), "https://h:443/ray");
  EXPECT_EQ(NormalizeUrl("[::1]", 8265).value(), "http://[::1]:8265");
  EXPECT_FALSE(NormalizeUrl("http://h/?a=b", 8265));
  EXPECT_EQ(HostOfUrl("https://[fd00::1]:443/x"), "fd00::1");
}

}  // namespace
}  // namespace seedcore::ray
