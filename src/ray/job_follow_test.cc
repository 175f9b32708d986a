#include "ray/job_follow.h"

#include <atomic>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "net/server.h"

// A job on a real head is followed in tests/serve; here are the turns it does not take at will.
namespace seedcore::ray {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A dashboard with one job, whose states and logs come one per look; the last stays.
class JobFollow : public testing::Test {
 protected:
  void Serve(std::vector<std::string> states, std::vector<std::string> logs) {
    ASSERT_TRUE(server_.AddRoutes(
        0, {{.method = net::Method::kGet,
             .pattern = "/api/jobs/j",
             .handler =
                 [this, states](const net::Request&) {
                   const std::string& state = states[std::min<std::size_t>(look_++, states.size() - 1)];
                   if (state.empty()) return net::Response{.status = 500, .content_type = "text/plain", .body = "busy"};
                   return net::JsonResponse(fmt::format(R"({{"type":"SUBMISSION","submission_id":"j",{}}})", state));
                 }},
            {.method = net::Method::kGet, .pattern = "/api/jobs/j/logs", .handler = [this, logs](const net::Request&) {
               const std::string& text = logs[std::min<std::size_t>(read_++, logs.size() - 1)];
               return net::JsonResponse(WriteJson(json::object{{"logs", text}}));
             }}}));
    ASSERT_TRUE(server_.Start());
    dashboard_ = std::make_unique<Dashboard>(
        DashboardOptions{.url = fmt::format("http://127.0.0.1:{}", server_.endpoints().front().port), .token = {}},
        RealEnv());
  }
  Result<JobInfo> Follow(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    return FollowJob(*dashboard_, "j", CallContext{}.Within(patience, RealEnv()), RealEnv(),
                     [this](std::string_view text) { printed_.emplace_back(text); });
  }

  std::atomic<std::size_t> look_ = 0;
  std::atomic<std::size_t> read_ = 0;
  std::vector<std::string> printed_;
  Metrics metrics_;
  net::Server server_{net::ServerOptions{}, RealEnv(), metrics_};
  std::unique_ptr<Dashboard> dashboard_;
};

TEST_F(JobFollow, EveryPartOfTheLogIsPrintedOnce) {
  Serve({R"("status":"PENDING")", R"("status":"RUNNING")", R"("status":"SUCCEEDED","driver_exit_code":0)"},
        {"", "one\n", "one\ntwo\n"});
  const auto job = Follow();
  ASSERT_TRUE(job) << ToString(job.error());
  EXPECT_THAT(printed_, ElementsAre("one\n", "two\n"));
  EXPECT_EQ(ExitCodeOf(*job), 0);
}

TEST_F(JobFollow, AJobThatFailedEndsWithItsOwnCode) {
  Serve({R"("status":"FAILED","driver_exit_code":2)"}, {"no\n"});
  EXPECT_EQ(ExitCodeOf(*Follow()), 2);
  JobInfo without_code;
  without_code.status = "FAILED";
  EXPECT_EQ(ExitCodeOf(without_code), 1);
  JobInfo stopped;
  stopped.status = "STOPPED";
  stopped.driver_exit_code = 0;
  EXPECT_EQ(ExitCodeOf(stopped), 1);
}

TEST_F(JobFollow, ADashboardThatStumblesIsAskedAgain) {
  Serve({R"("status":"RUNNING")", "", "", R"("status":"SUCCEEDED")"}, {"x"});
  const auto job = Follow();
  ASSERT_TRUE(job) << ToString(job.error());
  EXPECT_THAT(printed_, ElementsAre("x"));
}

TEST_F(JobFollow, WhenTheTimeIsUpTheJobGoesOn) {
  Serve({R"("status":"RUNNING")"}, {""});
  const auto job = Follow(std::chrono::milliseconds(200));
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(job.error().message, HasSubstr("is RUNNING"));
}

}  // namespace
}  // namespace seedcore::ray
