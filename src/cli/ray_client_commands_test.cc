#include "cli/ray_client_commands.h"

#include <gtest/gtest.h>

namespace seedcore::cli {
namespace {

Parsed ParseLine(std::vector<const char*> words) {
  words.insert(words.begin(), "seedcore");
  return Parse(static_cast<int>(words.size()), words.data());
}

TEST(RayClientCommands, TellActionKeyAndValueApart) {
  const Parsed put = ParseLine({"ray", "kv", "put", "greeting", "hello", "--address", "ray://127.0.0.1:10001"});
  ASSERT_NE(put.command, nullptr) << put.text;
  EXPECT_EQ(put.arguments.Get("ACTION"), "put");
  EXPECT_EQ(put.arguments.Get("KEY"), "greeting");
  EXPECT_EQ(put.arguments.Get("VALUE"), "hello");
}

TEST(RayClientCommands, TakeAJsonArrayAsOneValue) {
  const Parsed call = ParseLine({"ray", "call", "counter", "add", "[5, \"x\"]", "--kwargs", R"({"times": 2})"});
  ASSERT_NE(call.command, nullptr) << call.text;
  EXPECT_EQ(call.arguments.Get("ARGS"), "[5, \"x\"]");
  EXPECT_EQ(call.arguments.Get("kwargs"), R"({"times": 2})");
}

TEST(RayClientCommands, RefuseArgumentsBeforeTheyConnect) {
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{"ray", "kv", "get"},
                                             {"ray", "kv", "get", "a", "b"},
                                             {"ray", "kv", "put", "a"},
                                             {"ray", "call", "counter", "add", "{}"},
                                             {"ray", "call", "counter", "add", "[1"},
                                             {"ray", "kv", "get", "a", "--address", "127.0.0.1:6379"}}) {
    const Parsed parsed = ParseLine(words);
    ASSERT_NE(parsed.command, nullptr) << parsed.text;
    EXPECT_EQ(parsed.command->run(parsed.arguments), kExitUsage) << words.back();
  }
}

}  // namespace
}  // namespace seedcore::cli
