#include "settings/file.h"

#include <gtest/gtest.h>

namespace seedcore::settings {
namespace {

TEST(SettingsFile, NestedAndDottedKeysAreTheSame) {
  const auto entries = ParseSettingsFile("queue:\n  lease: 10s\nserver.listen: 127.0.0.1:1\n");
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].key, "queue.lease");
  EXPECT_EQ((*entries)[0].value.text, "10s");
  EXPECT_EQ((*entries)[0].line, 2);
  EXPECT_EQ((*entries)[1].key, "server.listen");
  EXPECT_EQ((*entries)[1].line, 3);
}

TEST(SettingsFile, SequenceKeepsItsItems) {
  const auto entries = ParseSettingsFile("a: [\"x,y\", z]\n");
  ASSERT_TRUE(entries);
  EXPECT_EQ((*entries)[0].value.items, (std::vector<std::string>{"x,y", "z"}));
}

TEST(SettingsFile, EmptyFileAndEmptyValuesSetNothing) {
  EXPECT_TRUE(ParseSettingsFile("")->empty());
  EXPECT_TRUE(ParseSettingsFile("# only a comment\n")->empty());
  EXPECT_TRUE(ParseSettingsFile("queue:\n  lease:\n")->empty());
}

TEST(SettingsFile, KeyGivenTwiceNamesBothLines) {
  const auto entries = ParseSettingsFile("queue: {lease: 1s}\nqueue.lease: 2s\n");
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().message, "line 2: `queue.lease` is set twice, first on line 1");
}

TEST(SettingsFile, BrokenYamlNamesItsLine) {
  const auto entries = ParseSettingsFile("a: 1\nb: [1,\n");
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code, ErrorCode::kMalformed);
  EXPECT_TRUE(entries.error().message.starts_with("line ")) << entries.error().message;
}

TEST(SettingsFile, OnlyMappingsOfPlainValuesAreTaken) {
  EXPECT_FALSE(ParseSettingsFile("- a\n- b\n"));
  EXPECT_FALSE(ParseSettingsFile("just words\n"));
  EXPECT_FALSE(ParseSettingsFile("a: [{b: 1}]\n"));
  EXPECT_FALSE(ParseSettingsFile("? [x]\n: 1\n"));
  EXPECT_FALSE(ParseSettingsFile("a: {b: {c: {d: {e: 1}}}}\n"));
}

TEST(SettingsFile, AliasesThatMultiplyAreBounded) {
  std::string text = "a0: &a0 {k: 1}\n";
  for (int i = 1; i < 40; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {x: *a" + std::to_string(i - 1) + ", y: *a" +
            std::to_string(i - 1) + "}\n";
  }
  EXPECT_FALSE(ParseSettingsFile(text));
}

TEST(SettingsFile, OversizedFileIsRefused) { EXPECT_FALSE(ParseSettingsFile(std::string((1 << 20) + 1, '#'))); }

}  // namespace
}  // namespace seedcore::settings
