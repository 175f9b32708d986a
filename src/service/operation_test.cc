#include "service/operation.h"

#include <gtest/gtest.h>

#include "net/event_buffer.h"
#include "service/peer.h"

namespace seedcore::service {
namespace {

struct AddRequest {
  double left = 0;
  double right = 0;
  static constexpr auto kFields =
      Fields(Required("left", &AddRequest::left, "First summand"), Optional("right", &AddRequest::right, "Second one"));
};

struct AddResponse {
  double sum = 0;
  static constexpr auto kFields = Fields(Required("sum", &AddResponse::sum, "left + right"));
};

struct ItemRequest {
  std::string id;
  std::vector<std::string> tags;
  std::optional<int> limit;
  static constexpr auto kFields =
      Fields(Required("id", &ItemRequest::id, "Which"), Optional("tags", &ItemRequest::tags, "Any of these"),
             Optional("limit", &ItemRequest::limit, "At most"));
};

struct ItemResponse {
  std::string id;
  std::vector<std::string> tags;
  int limit = 0;
  static constexpr auto kFields =
      Fields(Required("id", &ItemResponse::id, "Echo"), Required("tags", &ItemResponse::tags, "Echo"),
             Required("limit", &ItemResponse::limit, "Echo"));
  [[nodiscard]] int HttpStatus() const { return limit == 503 ? 503 : 200; }
};

struct CountRequest {
  std::optional<int> after;
  static constexpr auto kFields = Fields(Optional("after", &CountRequest::after, "Where to go on"));
};

class TestService {
 public:
  Result<AddResponse> Add(const AddRequest& request, const CallContext&) {
    return AddResponse{request.left + request.right};
  }
  Result<ItemResponse> Item(const ItemRequest& request, const CallContext&) const {
    if (request.id == "missing") return Fail(ErrorCode::kNotFound, "no such item", "id");
    return ItemResponse{request.id, request.tags, request.limit.value_or(10)};
  }
  Result<void> Count(const CountRequest& request, const CallContext&, const std::shared_ptr<net::EventStream>& stream) {
    const int next = request.after.value_or(0) + 1;
    stream->Send("count", ToJsonText(AddResponse{static_cast<double>(next)}), std::to_string(next));
    return {};
  }
};

OperationTable<TestService> TestOperations() {
  return {"/test",
          "A service for the tests",
          {Post<&TestService::Add>("/add", "Adds"), Get<&TestService::Item>("/items/{id}", "One item").Inline().Open(),
           Stream<&TestService::Count, AddResponse>("/count", "Counts")},
          "/test/test"};
}

net::Response Dispatch(TestService& service, net::Method method, const std::string& pattern, net::Request request) {
  for (const net::Route& route : Routes(TestOperations(), service)) {
    if (route.method == method && route.pattern == pattern) {
      request.method = method;
      return route.handler(request);
    }
  }
  return net::ErrorResponse({ErrorCode::kNotFound, "no route " + pattern, ""});
}

TEST(Operation, TakesItsNameFromTheMemberFunction) {
  const auto table = TestOperations();
  EXPECT_EQ(table.operations[0].info.name, "Add");
  EXPECT_EQ(table.operations[1].info.name, "Item");
  EXPECT_EQ(table.operations[1].info.execution, net::Execution::kInline);
  EXPECT_FALSE(table.operations[1].info.requires_auth);
}

TEST(Operation, BindsTheBodyAndAnswersJson) {
  TestService service;
  const auto response = Dispatch(service, net::Method::kPost, "/test/add", {.body = R"({"left":1,"right":2.5})"});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"sum":3.5})");
}

TEST(Operation, AnswersBelowTheAliasPrefixToo) {
  TestService service;
  EXPECT_EQ(Dispatch(service, net::Method::kPost, "/test/test/add", {.body = R"({"left":1})"}).status, 200);
}

TEST(Operation, BindsPathAndQueryByType) {
  TestService service;
  const auto response = Dispatch(service, net::Method::kGet, "/test/items/{id}",
                                 {.query = {{"tags", "a,b"}, {"limit", "7"}}, .path_params = {{"id", "42"}}});
  EXPECT_EQ(response.body, R"({"id":"42","tags":["a","b"],"limit":7})");
}

TEST(Operation, ErrorsCarryStatusAndPath) {
  TestService service;
  const auto status_of = [&](net::Request request) {
    return Dispatch(service, net::Method::kGet, "/test/items/{id}", std::move(request)).status;
  };
  EXPECT_EQ(status_of({.path_params = {{"id", "missing"}}}), 404);
  EXPECT_EQ(status_of({.query = {{"limit", "many"}}, .path_params = {{"id", "a"}}}), 422);
  EXPECT_EQ(status_of({.query = {{"unknown", "1"}}, .path_params = {{"id", "a"}}}), 422);
  EXPECT_EQ(Dispatch(service, net::Method::kPost, "/test/add", {.body = "{"}).status, 400);
  EXPECT_EQ(Dispatch(service, net::Method::kPost, "/test/add", {.body = ""}).status, 422);
  EXPECT_EQ(Dispatch(service, net::Method::kPost, "/test/add", {.body = "[]"}).status, 422);
}

TEST(Operation, AResponseMaySetItsOwnStatus) {
  TestService service;
  EXPECT_EQ(Dispatch(service, net::Method::kGet, "/test/items/{id}",
                     {.query = {{"limit", "503"}}, .path_params = {{"id", "a"}}})
                .status,
            503);
}

std::string StreamOf(const net::Request& request) {
  TestService service;
  for (const net::Route& route : Routes(TestOperations(), service)) {
    if (route.pattern != "/test/count") continue;
    const auto events = std::make_shared<net::EventBuffer>(1024, [] {});
    const auto taken = route.stream(request, events);
    std::string text;
    return taken && events->Take(text) ? text : ToString(taken.error());
  }
  return "no route";
}

TEST(Operation, AStreamGoesOnAfterTheLastEventThatItsClientHasSeen) {
  net::Request request;
  EXPECT_NE(StreamOf(request).find("id: 1\n"), std::string::npos) << StreamOf(request);
  request.query.emplace("after", "4");
  EXPECT_NE(StreamOf(request).find("id: 5\n"), std::string::npos) << StreamOf(request);
  request.headers.Add("Last-Event-ID", "8");  // a browser that connects again sends both
  EXPECT_NE(StreamOf(request).find("id: 9\n"), std::string::npos) << StreamOf(request);
  net::Request wrong;
  wrong.headers.Add("Last-Event-ID", "yesterday");
  EXPECT_NE(StreamOf(wrong).find("(after)"), std::string::npos) << StreamOf(wrong);
}

TEST(Peer, UnboundSaysSo) {
  const Peer<TestService> peer;
  const auto sum = peer.Call<&TestService::Add>(AddRequest{1, 2}, {});
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error().code, ErrorCode::kUnavailable);
}

TEST(Peer, RemoteAndLocalAnswerAlike) {
  TestService service;
  const Peer<TestService> local;
  local.BindLocal(service);
  std::vector<std::string> targets;
  const Peer<TestService> remote;
  remote.BindRemote(
      TestOperations(),
      [&](net::Method method, const std::string& path, std::string body, const CallContext&) -> Result<net::Response> {
        targets.push_back(path);
        if (method == net::Method::kPost) return Dispatch(service, method, path, {.body = std::move(body)});
        // The one GET of this test, as a server would decode it.
        return Dispatch(service, method, "/test/items/{id}",
                        {.query = {{"tags", "x,y"}, {"limit", "3"}}, .path_params = {{"id", "a/b"}}});
      });

  const AddRequest add{1, 2};
  EXPECT_EQ(local.Call<&TestService::Add>(add, {})->sum, remote.Call<&TestService::Add>(add, {})->sum);
  const ItemRequest item{"a/b", {"x", "y"}, 3};
  EXPECT_EQ(ToJsonText(*local.Call<&TestService::Item>(item, {})),
            ToJsonText(*remote.Call<&TestService::Item>(item, {})));
  EXPECT_EQ(targets, (std::vector<std::string>{"/test/add", "/test/items/a%2Fb?tags=x%2Cy&limit=3"}));
}

TEST(OpenApi, ListsEveryOperationWithItsParametersAndSchemas) {
  const auto document = OpenApiDocument({Describe(TestOperations())}, "Test", "1");
  const json::object& paths = document.at("paths").get_object();
  ASSERT_TRUE(paths.contains("/test/add"));
  const json::object& item = paths.at("/test/items/{id}").at("get").get_object();
  EXPECT_EQ(item.at("parameters").get_array().size(), 3U);
  EXPECT_EQ(item.at("parameters").at(0).at("in").get_string(), "path");
  EXPECT_TRUE(document.at("components").at("schemas").get_object().contains("AddRequest"));
  const json::object& count = paths.at("/test/count").at("get").get_object();
  EXPECT_TRUE(count.at("responses").at("200").at("content").get_object().contains("text/event-stream"));
  EXPECT_EQ(count.at("parameters").get_array().size(), 2U) << "after, and Last-Event-ID";
}

}  // namespace
}  // namespace seedcore::service
