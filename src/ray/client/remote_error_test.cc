#include "ray/client/remote_error.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/testing.h"
#include "ray/client/base64.h"

namespace seedcore::ray {
namespace {

// The table is made by testdata/make_exception_table.py, from a running Ray.
TEST(RemoteError, TellsTypeAndTextOfEveryExceptionRayPickled) {
  const auto table =
      test::ReadJsonLines(std::string(SEEDCORE_SOURCE_DIR) + "/src/ray/client/testdata/exception_table.jsonl");
  for (const json::value& expected : table) {
    const std::string what(expected.at("what").as_string());
    const std::string pickle = DecodeBase64(expected.at("pickle").as_string()).value_or("");
    const auto exception = ReadException(pickle);
    ASSERT_TRUE(exception) << what << ": " << ToString(exception.error());
    EXPECT_EQ(exception->type, std::string(expected.at("type").as_string())) << what;
    const std::string text(expected.at("text").as_string());
    EXPECT_TRUE(text.empty() ? exception->text.empty() : exception->text.starts_with(text))
        << what << " says: " << exception->text;
    EXPECT_EQ(ToString(ErrorOfException(pickle).code), std::string_view(expected.at("code").as_string())) << what;
  }
  EXPECT_EQ(table.size(), 11U);
}

TEST(RemoteError, SaysSoWhenTheExceptionCannotBeRead) {
  for (const std::string_view pickle : {std::string_view("N."), std::string_view("garbage"), std::string_view()}) {
    const Error error = ErrorOfException(pickle);
    EXPECT_EQ(error.code, ErrorCode::kInternal);
    EXPECT_TRUE(error.message.contains("cannot be read")) << error.message;
  }
}

TEST(RemoteError, CutsAnEndlessText) {
  const std::string pickle = "cbuiltins\nValueError\n(V" + std::string(100'000, 'x') + "\ntR.";
  const auto exception = ReadException(pickle);
  ASSERT_TRUE(exception) << ToString(exception.error());
  EXPECT_EQ(exception->type, "ValueError");
  EXPECT_LT(exception->text.size(), 3'000U);
}

}  // namespace
}  // namespace seedcore::ray
