// How `seedcore bootstrap` waits for its cluster. A real head is met in tests/ray and tests/serve.
#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/env.h"
#include "base/metrics.h"
#include "net/server.h"
#include "program.h"

namespace seedcore::test {
namespace {

constexpr int kUnreachable = 4;

/// A port of loopback that nobody else gets, and at which nothing listens.
class ReservedPort {
 public:
  ReservedPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // so that a server may listen there later
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    number_ = ntohs(address.sin_port);
  }
  ~ReservedPort() { ::close(fd_); }
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;
  [[nodiscard]] std::uint16_t number() const { return number_; }

 private:
  int fd_;
  std::uint16_t number_ = 0;
};

class Bootstrap : public ::testing::Test {
 protected:
  Bootstrap() {
    program_.Set("RAY_DASHBOARD_URL", fmt::format("http://127.0.0.1:{}", port_.number()));
    program_.Set("SEEDCORE_RAY_CONNECT_TIMEOUT_S", "30");
  }
  /// Begins to listen, with these routes.
  void Listen(std::vector<net::Route> routes) {
    const auto added = server_.AddRoutes(0, std::move(routes));
    ASSERT_TRUE(added) << ToString(added.error());
    const auto started = server_.Start();
    ASSERT_TRUE(started) << started.error().message;
  }
  static net::Route Answers(net::Method method, const std::string& pattern, const std::string& body, int status = 200) {
    return {.method = method, .pattern = pattern, .handler = [body, status](const net::Request&) {
              net::Response response = net::JsonResponse(body);
              response.status = status;
              return response;
            }};
  }

  ReservedPort port_;
  Program program_;

 private:
  Metrics metrics_;
  net::Server server_{{.listen = {fmt::format("127.0.0.1:{}", port_.number())}}, RealEnv(), metrics_};
};

TEST_F(Bootstrap, WaitsForADashboardThatDoesNotListenYet) {
  const auto bootstrap = program_.Start({"bootstrap"});
  const std::string waits = bootstrap->AwaitErrorLine("waiting");
  EXPECT_EQ(waits, fmt::format("seedcore: nothing listens at 127.0.0.1:{} (environment RAY_DASHBOARD_URL); waiting for "
                               "it, 30 s at most (SEEDCORE_RAY_CONNECT_TIMEOUT_S)",
                               port_.number()));
  Listen({Answers(net::Method::kGet, "/api/version",
                  R"({"version":"4","ray_version":"2.60.0","ray_commit":"c","session_name":"s"})"),
          Answers(net::Method::kPost, "/api/jobs", R"({"job_id":"j","submission_id":"j"})"),
          Answers(net::Method::kGet, "/api/jobs/j",
                  R"({"type":"SUBMISSION","submission_id":"j","status":"SUCCEEDED","driver_exit_code":0})"),
          Answers(net::Method::kGet, "/api/jobs/j/logs", R"({"logs":"all is up\n"})")});
  EXPECT_EQ(bootstrap->Wait(), 0) << bootstrap->err();
  EXPECT_EQ(bootstrap->out(), "all is up\n");
}

TEST_F(Bootstrap, FailsAtOnceWhenWhatListensIsNoDashboard) {
  const auto bootstrap = program_.Start({"bootstrap"});
  ASSERT_NE(bootstrap->AwaitErrorLine("waiting"), "");
  Listen({});
  EXPECT_EQ(bootstrap->Wait(), kUnreachable);
  EXPECT_TRUE(Contains(bootstrap->err(), "is a web server, but no Ray dashboard")) << bootstrap->err();
}

TEST_F(Bootstrap, FailsAtOnceWhenTheTokenIsRefused) {
  Listen({Answers(net::Method::kGet, "/api/version", "{}", 401)});
  const Outcome outcome = program_.Run({"bootstrap"});
  EXPECT_NE(outcome.code, 0);
  EXPECT_EQ(Lines(outcome.err), 1U) << outcome.err;
  EXPECT_TRUE(Contains(outcome.err, "wants a token and got none")) << outcome.err;
}

TEST_F(Bootstrap, SaysWhatIsMissingWhenTheTimeIsUp) {
  program_.Set("SEEDCORE_RAY_CONNECT_TIMEOUT_S", "0.3");
  const Outcome outcome = program_.Run({"bootstrap"});
  EXPECT_EQ(outcome.code, kUnreachable);
  EXPECT_TRUE(Contains(outcome.err, "waiting for it, 1 s at most")) << outcome.err;
  EXPECT_TRUE(Contains(outcome.err, "is the head running")) << outcome.err;
  EXPECT_EQ(Lines(outcome.err), 2U) << outcome.err;
}

TEST_F(Bootstrap, DoesNotWaitWhenToldSo) {
  program_.Set("SEEDCORE_RAY_CONNECT_TIMEOUT_S", "0");
  const Outcome outcome = program_.Run({"bootstrap"});
  EXPECT_EQ(outcome.code, kUnreachable);
  EXPECT_EQ(Lines(outcome.err), 1U) << outcome.err;
}

TEST_F(Bootstrap, RefusesATimeThatIsNone) {
  program_.Set("SEEDCORE_RAY_CONNECT_TIMEOUT_S", "soon");
  const Outcome outcome = program_.Run({"bootstrap"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(Contains(outcome.err, "SEEDCORE_RAY_CONNECT_TIMEOUT_S=soon: expected seconds, 0 to 3600"));
}

TEST_F(Bootstrap, WaitsNoLongerThanItsOwnTime) {
  const Outcome outcome = program_.Run({"bootstrap", "--timeout-s", "1"});
  EXPECT_EQ(outcome.code, kUnreachable);
  EXPECT_TRUE(Contains(outcome.err, "waiting for it, 1 s at most")) << outcome.err;
}

TEST_F(Bootstrap, EndsAtControlCWhileItWaits) {
  const auto bootstrap = program_.Start({"bootstrap"});
  ASSERT_NE(bootstrap->AwaitErrorLine("waiting"), "");
  bootstrap->Signal(SIGINT);
  EXPECT_EQ(bootstrap->Wait(), 128 + SIGINT);
}

}  // namespace
}  // namespace seedcore::test
