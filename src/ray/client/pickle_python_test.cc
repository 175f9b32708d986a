#include <fstream>

#include <gtest/gtest.h>

#include "ray/client/base64.h"
#include "ray/client/pickle_reader.h"

namespace seedcore::ray {
namespace {

// The table is made by testdata/make_pickle_table.py.
TEST(PickleReader, AgreesWithCPythonOnEveryLineOfTheTable) {
  std::ifstream table(std::string(SEEDCORE_SOURCE_DIR) + "/src/ray/client/testdata/pickle_table.jsonl");
  ASSERT_TRUE(table);
  std::string line;
  int lines = 0;
  while (std::getline(table, line)) {
    ++lines;
    const auto expected = ParseJson(line);
    ASSERT_TRUE(expected) << line;
    const auto pickle = DecodeBase64(expected->at("pickle").as_string());
    ASSERT_TRUE(pickle) << line;
    const auto value = ReadPickle(*pickle, {});
    if (const auto* error = expected->as_object().if_contains("error")) {
      ASSERT_FALSE(value) << line << "\nread as " << WriteJson(PyToJson(*value));
      EXPECT_TRUE(value.error().message.contains(std::string_view(error->as_string())))
          << line << "\nthe error is: " << value.error().message;
    } else {
      ASSERT_TRUE(value) << line.substr(0, 500) << "\n" << ToString(value.error());
      EXPECT_EQ(WriteJson(PyToJson(*value)), WriteJson(expected->at("value"))) << line.substr(0, 500);
    }
  }
  EXPECT_EQ(lines, 1019);
}

}  // namespace
}  // namespace seedcore::ray
