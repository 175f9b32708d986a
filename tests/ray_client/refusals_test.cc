// Clusters that do not let everybody in, and ports where no Ray Client server is: one clear line each.
#include <gmock/gmock.h>

#include "suite.h"

namespace seedcore::ray {
namespace {

using namespace seedcore::testing;
using ::testing::HasSubstr;

constexpr const char* kToken = "a-token-that-only-this-test-knows-0123456789";

/// A head that wants a token and speaks TLS. Both are refused before a session is started.
class GuardedCluster : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    head_ = std::make_unique<RayHead>(RayHeadOptions{.ray = RayProgram(), .with_tls = true, .token = kToken});
    ASSERT_TRUE(head_->is_up());
    ASSERT_EQ(head_->RunScript("actors.py", {kNamespace}), 0) << ReadWhole(head_->Log());
  }
  static void TearDownTestSuite() { head_.reset(); }

  static RayClientOptions Options() {
    return {.address = head_->client_address(),
            .ray_namespace = kNamespace,
            .token = kToken,
            .tls = TlsMaterial{.ca = head_->certificate(), .cert = head_->certificate(), .key = head_->key()}};
  }

  static Error WhyNot(const RayClientOptions& options) {
    const auto client = ConnectRayClient(options, RealEnv(), WithinSeconds(30));
    EXPECT_FALSE(client);
    return client ? Error{} : client.error();
  }

  inline static std::unique_ptr<RayHead> head_;
};

TEST_F(GuardedCluster, LetsInWhoHasTheTokenAndTheCertificate) {
  const auto client = ConnectRayClient(Options(), RealEnv(), WithinSeconds(60));
  ASSERT_TRUE(client) << ToString(client.error());
  const auto result = (*client)->CallActor({.actor = "probe",
                                            .method = "add",
                                            .args = {PyValue{std::int64_t{5}}},
                                            .kwargs = {{"times", PyValue{std::int64_t{2}}}}},
                                           WithinSeconds(30));
  ASSERT_TRUE(result) << ToString(result.error());
  EXPECT_EQ(*result, PyValue{std::int64_t{10}});
  EXPECT_TRUE((*client)->KvPut("space", "a", "1", true, WithinSeconds(10)));
}

TEST_F(GuardedCluster, AsksForAToken) {
  auto options = Options();
  options.token.clear();
  const Error error = WhyNot(options);
  EXPECT_EQ(error.code, ErrorCode::kUnauthenticated);
  EXPECT_EQ(error.message, options.address +
                               ": the cluster wants a token, and none is sent: set "
                               "RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN unless ~/.ray/auth_token has it");
}

TEST_F(GuardedCluster, RefusesAWrongToken) {
  auto options = Options();
  options.token = "another-token-of-the-same-length-0123456789";
  const Error error = WhyNot(options);
  EXPECT_EQ(error.code, ErrorCode::kUnauthenticated);
  EXPECT_EQ(error.message, options.address + ": the cluster refuses the token (RAY_AUTH_TOKEN)");
}

TEST_F(GuardedCluster, SaysThatItSpeaksTls) {
  auto options = Options();
  options.tls.reset();
  const Error error = WhyNot(options);
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("the server speaks TLS, and this client was not told to"));
}

TEST_F(GuardedCluster, SaysThatTheCertificateIsNotTrusted) {
  auto options = Options();
  options.tls->ca.clear();  // the system's authorities, which do not know it
  const Error error = WhyNot(options);
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("the TLS handshake failed"));
}

TEST(PlainCluster, SaysThatItDoesNotSpeakTlsAndThatTheGcsIsNoClientServer) {
  const RayHead head({.ray = RayProgram()});
  ASSERT_TRUE(head.is_up());
  const auto with_tls =
      ConnectRayClient({.address = head.client_address(), .tls = TlsMaterial{}}, RealEnv(), WithinSeconds(30));
  ASSERT_FALSE(with_tls);
  EXPECT_THAT(with_tls.error().message, HasSubstr("the server does not speak TLS, and this client was told to"));
  const auto gcs =
      ConnectRayClient({.address = fmt::format("ray://127.0.0.1:{}", head.gcs_port())}, RealEnv(), WithinSeconds(30));
  ASSERT_FALSE(gcs);
  EXPECT_THAT(gcs.error().message, HasSubstr("is no Ray Client server (its port is 10001"));
  const auto dashboard = ConnectRayClient({.address = head.dashboard_url().substr(7)}, RealEnv(), WithinSeconds(30));
  ASSERT_FALSE(dashboard);
  EXPECT_THAT(dashboard.error().message, HasSubstr("is no Ray Client server (its port is 10001"));
  EXPECT_TRUE(ProbeRayClientServer({.address = head.client_address()}, RealEnv(), WithinSeconds(10)));
}

}  // namespace
}  // namespace seedcore::ray
