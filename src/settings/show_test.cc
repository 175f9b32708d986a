#include "settings/show.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "settings/catalog.h"

namespace seedcore::settings {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Settings Resolved() {
  return *Resolve({.file = std::nullopt,
                   .environment = {{"HOME", "/home/ada"},
                                   {"SEEDCORE_API_TOKENS", "topsecret1,topsecret2"},
                                   {"SEEDCORE_PG_DSN", "postgresql://u:topsecret3@db/x"},
                                   {"REDIS_URL", "redis://:topsecret4@redis"},
                                   {"SEEDCORE_LISTN", "x"}},
                   .flags = {{"listen", "127.0.0.1:9000"}}});
}

TEST(ConfigShow, ListsEverySettingWithValueAndSource) {
  const auto rows = ConfigShow(Resolved());
  ASSERT_EQ(rows.size(), Catalog().size());
  EXPECT_EQ(rows[0].name, "server.listen");
  EXPECT_EQ(rows[0].value, "127.0.0.1:9000");
  EXPECT_EQ(rows[0].source, "flag --listen");
}

TEST(ConfigShow, NeverShowsASecret) {
  EXPECT_THAT(ConfigShowText(Resolved()), Not(HasSubstr("topsecret")));
  EXPECT_THAT(WriteJson(ConfigShowJson(Resolved())), Not(HasSubstr("topsecret")));
  EXPECT_THAT(ConfigShowText(Resolved()), HasSubstr("postgresql://u:***@db/x"));
}

TEST(ConfigShow, JsonCarriesTheWarnings) {
  const json::value shown = ConfigShowJson(Resolved());
  EXPECT_EQ(shown.at("settings").as_array().size(), Catalog().size());
  EXPECT_EQ(shown.at("warnings").as_array().size(), 1u);
}

TEST(ConfigShow, TextHasOneLineForEachSetting) {
  const std::string text = ConfigShowText(Resolved());
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), Catalog().size());
}

TEST(SettingsMarkdown, IsWhatTheDocumentationHolds) {
  const std::string path = std::string(SEEDCORE_SOURCE_DIR) + "/docs/settings.md";
  if (std::getenv("SEEDCORE_UPDATE_DOCS") != nullptr) std::ofstream(path) << SettingsMarkdown();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, SettingsMarkdown()) << "run settings_test once with SEEDCORE_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace seedcore::settings
