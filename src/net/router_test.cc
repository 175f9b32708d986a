#include "net/router.h"

#include <gtest/gtest.h>

namespace seedcore::net {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  std::size_t Add(Method method, std::string_view pattern) {
    const auto added = router_.Add(method, pattern);
    EXPECT_TRUE(added) << (added ? "" : added.error().message);
    return added.value_or(Router::kNone);
  }
  std::size_t Find(Method method, std::string_view path) {
    router_.Find(method, path, match_);
    return match_.route;
  }

  Router router_;
  Router::Match match_;
};

TEST_F(RouterTest, FindsLiteralsAndParameters) {
  const auto list = Add(Method::kGet, "/tasks");
  const auto one = Add(Method::kGet, "/tasks/{id}");
  const auto events = Add(Method::kGet, "/tasks/{task}/events/{n}");
  EXPECT_EQ(Find(Method::kGet, "/tasks"), list);
  EXPECT_EQ(Find(Method::kGet, "/tasks/7"), one);
  EXPECT_EQ(Find(Method::kGet, "/tasks/7/events/9"), events);
  EXPECT_EQ(match_.values, (std::vector<std::string_view>{"7", "9"}));
  EXPECT_EQ(router_.Parameters(events), (std::vector<std::string>{"task", "n"}));
  EXPECT_EQ(Find(Method::kGet, "/tasks/7/events"), Router::kNone);
  EXPECT_FALSE(match_.path_exists);
}

TEST_F(RouterTest, PrefersALiteralOverAParameter) {
  const auto by_id = Add(Method::kGet, "/tasks/{id}");
  const auto stats = Add(Method::kGet, "/tasks/stats");
  EXPECT_EQ(Find(Method::kGet, "/tasks/stats"), stats);
  EXPECT_TRUE(match_.values.empty());
  EXPECT_EQ(Find(Method::kGet, "/tasks/statsx"), by_id);
}

TEST_F(RouterTest, FallsBackToTheParameterWhenTheLiteralBranchLeadsNowhere) {
  Add(Method::kGet, "/a/b/c");
  const auto general = Add(Method::kGet, "/a/{x}/d");
  EXPECT_EQ(Find(Method::kGet, "/a/b/d"), general);
  EXPECT_EQ(match_.values, (std::vector<std::string_view>{"b"}));
}

TEST_F(RouterTest, FallsBackToTheParameterWhenTheLiteralHasNoSuchMethod) {
  Add(Method::kPost, "/tasks/search");
  const auto by_id = Add(Method::kGet, "/tasks/{id}");
  EXPECT_EQ(Find(Method::kGet, "/tasks/search"), by_id);
  EXPECT_EQ(router_.AllowedMethods("/tasks/search"), "GET, HEAD, POST, OPTIONS");
}

TEST_F(RouterTest, TellsAMissingMethodFromAMissingPath) {
  Add(Method::kPost, "/tasks");
  EXPECT_EQ(Find(Method::kGet, "/tasks"), Router::kNone);
  EXPECT_TRUE(match_.path_exists);
  EXPECT_EQ(Find(Method::kGet, "/task"), Router::kNone);
  EXPECT_FALSE(match_.path_exists);
  EXPECT_EQ(router_.AllowedMethods("/task"), "");
  EXPECT_EQ(router_.AllowedMethods("/tasks"), "POST, OPTIONS");
}

TEST_F(RouterTest, AnswersHeadWithTheGetRoute) {
  const auto get = Add(Method::kGet, "/x");
  EXPECT_EQ(Find(Method::kHead, "/x"), get);
}

TEST_F(RouterTest, RoutesTheRoot) {
  const auto root = Add(Method::kGet, "/");
  EXPECT_EQ(Find(Method::kGet, "/"), root);
}

TEST_F(RouterTest, RefusesDuplicatesEvenWithOtherParameterNames) {
  Add(Method::kGet, "/tasks/{id}");
  EXPECT_EQ(router_.Add(Method::kGet, "/tasks/{name}").error().code, ErrorCode::kConflict);
}

TEST_F(RouterTest, RefusesBadPatterns) {
  for (const std::string_view pattern : {"", "tasks", "/a//b", "/a/", "/{", "/{}", "/a{b}", "/{a}b", "/{a{b}}"}) {
    EXPECT_FALSE(router_.Add(Method::kGet, pattern)) << pattern;
  }
}

}  // namespace
}  // namespace seedcore::net
