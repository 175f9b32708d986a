#include "settings/redact.h"

#include <gtest/gtest.h>

namespace seedcore::settings {
namespace {

TEST(RedactPasswords, HidesThePasswordOfAUrl) {
  EXPECT_EQ(RedactPasswords("postgresql://postgres:s3cret@db:5432/seedcore"),
            "postgresql://postgres:***@db:5432/seedcore");
  EXPECT_EQ(RedactPasswords("redis://:s3cret@redis:6379/0"), "redis://:***@redis:6379/0");
}

TEST(RedactPasswords, HidesAPasswordWithUnescapedSigns) {
  EXPECT_EQ(RedactPasswords("postgresql://u:p@ss:w/rd@db/x"), "postgresql://u:***@db/x");
  EXPECT_EQ(RedactPasswords("postgresql://u:what?now@db/x"), "postgresql://u:***@db/x");
}

TEST(RedactPasswords, HidesEveryUrlOfAText) {
  EXPECT_EQ(RedactPasswords("http://a:1@b,http://c:2@d"), "http://a:***@b,http://c:***@d");
}

TEST(RedactPasswords, HidesKeywordAndQueryForms) {
  EXPECT_EQ(RedactPasswords("host=db user=u password=s3cret dbname=x"), "host=db user=u password=*** dbname=x");
  EXPECT_EQ(RedactPasswords("password = 'it\\'s me' host=db"), "password = *** host=db");
  EXPECT_EQ(RedactPasswords("postgresql://db/x?user=u&password=s3cret&sslmode=require"),
            "postgresql://db/x?user=u&password=***&sslmode=require");
  EXPECT_EQ(RedactPasswords("https://h/hook?token=abc"), "https://h/hook?token=***");
}

TEST(RedactPasswords, LeavesTextsWithoutPasswordsAlone) {
  for (const char* text : {"", "bolt://neo4j:7687", "ray://seedcore-svc-head-svc:10001", "postgresql://user@db/x",
                           "127.0.0.1:8000", "/var/lib/seedcore", "a=b", "http://[::1]:8000/x"}) {
    EXPECT_EQ(RedactPasswords(text), text);
  }
}

}  // namespace
}  // namespace seedcore::settings
