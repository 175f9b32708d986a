// The documents and the listeners agree: what is documented is answered, on the listener that documents it.
#include <set>

#include <gtest/gtest.h>

#include "support/running_platform.h"

namespace seedcore::test {
namespace {

struct Documented {
  std::string method;
  std::string path;
  bool streams = false;
};

std::vector<Documented> OperationsOf(const Reply& document) {
  std::vector<Documented> operations;
  for (const auto& path : document.Object("paths")) {
    for (const auto& method : path.value().as_object()) {
      const json::value& content = At(method.value(), "responses.200.content");
      operations.push_back({std::string(method.key()), std::string(path.key()),
                            content.is_object() && content.get_object().contains("text/event-stream")});
    }
  }
  return operations;
}

net::Method MethodOf(const std::string& lower) {
  std::string upper = lower;
  for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
  return *net::ParseMethod(upper);
}

/// "/tasks/{id}/run" -> "/tasks/unknown-1/run"
std::string Filled(std::string path) {
  for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) {
    path.replace(open, path.find('}') - open + 1, "unknown-1");
  }
  return path;
}

/// A refusal by the router; a 404 about a task that does not exist is the operation's own answer.
bool IsUnrouted(const Reply& reply) {
  return reply.status == 405 || reply.Text("error.message").find("no route") != std::string::npos;
}

void ExpectEveryOperationIsRouted(Caller& caller, std::size_t at_least) {
  const Reply document = caller.Get("/openapi.json");
  ASSERT_EQ(document.status, 200) << document.text;
  const auto operations = OperationsOf(document);
  EXPECT_GE(operations.size(), at_least) << caller.base_url();
  for (const Documented& operation : operations) {
    if (operation.streams) continue;  // events_test.cc reads them
    const Reply reply = caller.Send(MethodOf(operation.method), Filled(operation.path));
    EXPECT_NE(reply.status, 0) << operation.method << ' ' << operation.path << ": " << reply.text;
    EXPECT_FALSE(IsUnrouted(reply)) << operation.method << ' ' << operation.path << ": " << reply.text;
    EXPECT_NE(reply.status, 500) << operation.method << ' ' << operation.path << ": " << reply.text;
    if (reply.status >= 400) {
      EXPECT_NE(reply.body, json::value()) << operation.path << " answers no JSON: " << reply.text;
    }
  }
}

std::set<std::string> PathsOf(Caller& caller) {
  std::set<std::string> paths;
  for (const Documented& operation : OperationsOf(caller.Get("/openapi.json"))) paths.insert(operation.path);
  return paths;
}

TEST(Routes, EveryDocumentedOperationOfTheServicesIsAnswered) {
  RunningPlatform platform;
  ExpectEveryOperationIsRouted(platform.services(), 50);
}

TEST(Routes, EveryDocumentedOperationOfTheTaskApiIsAnswered) {
  RunningPlatform platform;
  ExpectEveryOperationIsRouted(platform.tasks(), 19);
}

TEST(Routes, EachListenerDocumentsItselfOnly) {
  RunningPlatform platform;
  const auto services = PathsOf(platform.services());
  const auto tasks = PathsOf(platform.tasks());
  EXPECT_TRUE(services.contains("/ml/detect/anomaly"));
  EXPECT_FALSE(services.contains("/api/v1/tasks"));
  EXPECT_TRUE(tasks.contains("/api/v1/tasks"));
  EXPECT_TRUE(tasks.contains("/api/v1/events"));
  EXPECT_FALSE(tasks.contains("/ml/detect/anomaly"));
}

TEST(Routes, TheCoordinatorAnswersBelowTheDoubledPrefixToo) {
  RunningPlatform platform;
  for (const Documented& operation : OperationsOf(platform.services().Get("/openapi.json"))) {
    if (!operation.path.starts_with("/pipeline/") || operation.streams) continue;
    const Reply reply = platform.services().Send(MethodOf(operation.method), "/pipeline" + operation.path);
    EXPECT_FALSE(IsUnrouted(reply)) << operation.path << ": " << reply.text;
  }
  EXPECT_EQ(platform.services().Get("/pipeline/pipeline/health").status, 200);
  EXPECT_EQ(platform.services()
                .Post("/pipeline/pipeline/route-and-execute", R"({"type":"general_query","description":"6 * 7"})")
                .status,
            200);
}

TEST(Routes, MetricsAreExposedOnBothListeners) {
  RunningPlatform platform;
  platform.Complete(R"({"type":"health_check"})");
  for (Caller* caller : {&platform.services(), &platform.tasks()}) {
    const Reply metrics = caller->Get("/metrics");
    EXPECT_EQ(metrics.status, 200);
    EXPECT_NE(metrics.text.find("# TYPE"), std::string::npos);
    EXPECT_NE(metrics.text.find("coord_"), std::string::npos) << "metrics keep the names they had";
  }
}

}  // namespace
}  // namespace seedcore::test
