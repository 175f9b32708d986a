#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/testing.h"
#include "ray/client/base64.h"
#include "ray/client/pickle_reader.h"

namespace seedcore::ray {
namespace {

// The table is made by testdata/make_pickle_table.py.
TEST(PickleReader, AgreesWithCPythonOnEveryLineOfTheTable) {
  const auto table =
      test::ReadJsonLines(std::string(SEEDCORE_SOURCE_DIR) + "/src/ray/client/testdata/pickle_table.jsonl");
  for (const json::value& expected : table) {
    const std::string line = WriteJson(expected).substr(0, 500);
    const auto pickle = DecodeBase64(expected.at("pickle").as_string());
    ASSERT_TRUE(pickle) << line;
    const auto value = ReadPickle(*pickle, {});
    if (const auto* error = expected.as_object().if_contains("error")) {
      ASSERT_FALSE(value) << line << "\nread as " << WriteJson(PyToJson(*value));
      EXPECT_TRUE(value.error().message.contains(std::string_view(error->as_string())))
          << line << "\nthe error is: " << value.error().message;
    } else {
      ASSERT_TRUE(value) << line << "\n" << ToString(value.error());
      EXPECT_EQ(WriteJson(PyToJson(*value)), WriteJson(expected.at("value"))) << line;
    }
  }
  EXPECT_EQ(table.size(), 1019U);
}

}  // namespace
}  // namespace seedcore::ray
