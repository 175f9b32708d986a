#include "net/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seedcore::net {
namespace {

using ::testing::HasSubstr;

TEST(Auth, WithoutTokensEverybodyMayCall) { EXPECT_TRUE(AuthPolicy{}.Check(std::nullopt)); }

TEST(Auth, EveryTokenIsAsGoodAsTheOthers) {
  const AuthPolicy policy{{"first", "second"}};
  EXPECT_TRUE(policy.Check("Bearer first"));
  EXPECT_TRUE(policy.Check("bearer  second"));
}

TEST(Auth, RefusesEverythingElse) {
  const AuthPolicy policy{{"first", "second"}};
  EXPECT_FALSE(policy.Check(std::nullopt));
  for (const std::string_view value : {"", "Bearer", "Bearer ", "Bearer firs", "Bearer firstx", "Bearer FIRST",
                                       "Basic first", "first", "Bearer first second"}) {
    EXPECT_FALSE(policy.Check(value)) << value;
  }
}

TEST(Auth, AnEmptyTokenOpensNothing) {
  const AuthPolicy policy{{""}};
  EXPECT_FALSE(policy.Check("Bearer "));
  EXPECT_FALSE(policy.Check(std::nullopt));
}

TEST(Bind, LoopbackNeedsNothing) {
  for (const std::string_view host :
       {"127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(CheckBind(host, {}, false)) << host;
  }
}

TEST(Bind, OtherAddressesNeedTokensOrTheFlag) {
  for (const std::string_view host :
       {"0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org", "::ffff:1.2.3.4"}) {
    const auto refused = CheckBind(host, {}, false);
    ASSERT_FALSE(refused) << host;
    EXPECT_THAT(refused.error().message, HasSubstr("SEEDCORE_API_TOKENS"));
    EXPECT_THAT(refused.error().message, HasSubstr("--insecure-no-auth"));
    EXPECT_FALSE(CheckBind(host, {""}, false)) << host;
    EXPECT_TRUE(CheckBind(host, {"token"}, false)) << host;
    EXPECT_TRUE(CheckBind(host, {}, true)) << host;
  }
}

}  // namespace
}  // namespace seedcore::net
