#include "net/upstreams.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using enum CircuitBreaker::Outcome;

constexpr BreakerSettings kEjection{
    .failures_to_open = 2, .open_for = milliseconds(1'000), .longest_open = milliseconds(3'000)};

std::vector<UpstreamAddress> Addresses(int count) {
  std::vector<UpstreamAddress> addresses;
  for (int i = 0; i < count; ++i) {
    addresses.push_back({"id-" + std::to_string(i), {"127.0.0.1", static_cast<std::uint16_t>(1000 + i)}, "node"});
  }
  return addresses;
}

class UpstreamsTest : public ::testing::Test {
 protected:
  std::string PickedId() {
    const auto lease = upstreams_.Pick({});
    return lease ? lease->upstream().address.id : lease.error().message;
  }
  void Fail(const std::string& id) {
    for (int i = 0; i < kEjection.failures_to_open; ++i) {
      std::vector<std::uint64_t> others;
      for (const auto& upstream : upstreams_.List()) {
        if (upstream->address.id != id) others.push_back(upstream->key);
      }
      auto lease = upstreams_.Pick(others);
      ASSERT_TRUE(lease);
      ASSERT_EQ(lease->upstream().address.id, id);
      lease->Report(kFailure);
    }
  }

  SimEnv env_;
  Upstreams upstreams_{kEjection, env_};
};

TEST_F(UpstreamsTest, EveryChoiceIsOneWithTheFewestRequestsInFlight) {
  upstreams_.Replace(Addresses(5));
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Upstreams::Lease>> under_way;
  for (int step = 0; step < 20'000; ++step) {
    // Some take long, some do not, so that the loads drift apart whenever nothing evens them out.
    if (!under_way.empty() && random() % 2 == 0) {
      std::swap(under_way[random() % under_way.size()], under_way.back());
      under_way.pop_back();
      continue;
    }
    int least = 1 << 30;
    for (const auto& upstream : upstreams_.List()) least = std::min(least, upstream->in_flight());
    auto lease = upstreams_.Pick({});
    ASSERT_TRUE(lease);
    ASSERT_EQ(lease->upstream().in_flight(), least + 1) << "step " << step;
    under_way.push_back(std::make_unique<Upstreams::Lease>(std::move(*lease)));
  }
}

TEST_F(UpstreamsTest, EqualsTakeTurns) {
  upstreams_.Replace(Addresses(3));
  std::set<std::string> picked;
  for (int i = 0; i < 3; ++i) picked.insert(PickedId());
  EXPECT_EQ(picked.size(), 3U);
}

TEST_F(UpstreamsTest, WithoutReplicasThereIsNoChoice) {
  EXPECT_EQ(PickedId(), "there is no replica");
  upstreams_.Replace(Addresses(1));
  upstreams_.Replace({});
  EXPECT_EQ(PickedId(), "there is no replica");
}

TEST_F(UpstreamsTest, ThoseTriedAreTakenOnlyWhenNobodyElseIsLeft) {
  upstreams_.Replace(Addresses(2));
  const auto all = upstreams_.List();
  for (int i = 0; i < 4; ++i) {
    const std::vector<std::uint64_t> tried{all[0]->key};
    EXPECT_EQ(upstreams_.Pick(tried)->upstream().key, all[1]->key);
  }
  const std::vector<std::uint64_t> both{all[0]->key, all[1]->key};
  EXPECT_TRUE(upstreams_.Pick(both));
}

TEST_F(UpstreamsTest, AReplicaThatFailsInARowIsEjectedAndTriedAgainByOneRequest) {
  upstreams_.Replace(Addresses(2));
  Fail("id-0");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(PickedId(), "id-1");
  env_.Advance(milliseconds(1'001));
  std::optional<Upstreams::Lease> probe;
  std::set<std::string> picked;
  for (int i = 0; i < 4; ++i) {
    auto lease = upstreams_.Pick({});
    picked.insert(lease->upstream().address.id);
    if (lease->upstream().address.id == "id-0") {
      EXPECT_FALSE(probe) << "one request at a time may try it";
      probe.emplace(std::move(*lease));
    }
  }
  EXPECT_EQ(picked.size(), 2U);
  ASSERT_TRUE(probe);
  probe->Report(kSuccess);
  probe.reset();
  EXPECT_EQ(upstreams_.List()[0]->breaker().state(), CircuitBreaker::State::kClosed);
}

TEST_F(UpstreamsTest, WhereTrialsAreLeftToSomebodyNoRequestIsOne) {
  upstreams_.Replace(Addresses(1));
  upstreams_.LeaveTrials();
  Fail("id-0");
  Upstream& ejected = *upstreams_.List()[0];
  EXPECT_FALSE(ejected.BeginTrial()) << "it is too early";
  env_.Advance(milliseconds(1'001));
  EXPECT_EQ(PickedId(), "every replica has failed lately");
  const auto trial = ejected.BeginTrial();
  ASSERT_TRUE(trial);
  EXPECT_FALSE(ejected.BeginTrial()) << "one at a time";
  EXPECT_EQ(PickedId(), "every replica has failed lately");
  ejected.EndTrial(*trial, kSuccess);
  EXPECT_EQ(PickedId(), "id-0");
}

TEST_F(UpstreamsTest, EachFailedProbeDoublesTheWaitUpToTheLongest) {
  upstreams_.Replace(Addresses(1));
  Fail("id-0");
  for (const auto wait : {milliseconds(1'000), milliseconds(2'000), milliseconds(3'000), milliseconds(3'000)}) {
    EXPECT_EQ(upstreams_.UntilNextProbe(), wait);
    EXPECT_EQ(PickedId(), "every replica has failed lately");
    env_.Advance(wait);
    auto probe = upstreams_.Pick({});
    ASSERT_TRUE(probe);
    probe->Report(kFailure);
  }
  env_.Advance(milliseconds(3'000));
  upstreams_.Pick({})->Report(kSuccess);
  Fail("id-0");
  EXPECT_EQ(upstreams_.UntilNextProbe(), milliseconds(1'000)) << "it starts from the beginning";
}

TEST_F(UpstreamsTest, AnAbandonedRequestSaysNothing) {
  upstreams_.Replace(Addresses(1));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(upstreams_.Pick({}));
  EXPECT_EQ(PickedId(), "id-0");
  EXPECT_EQ(upstreams_.List()[0]->in_flight(), 0);
}

TEST_F(UpstreamsTest, ANewListKeepsWhatIsKnownAndDropsWhatIsGone) {
  upstreams_.Replace(Addresses(2));
  Fail("id-0");
  auto held = upstreams_.Pick({});
  auto next = Addresses(3);
  next.erase(next.begin() + 1);
  upstreams_.Replace(next);
  std::vector<std::string> ids;
  for (const auto& upstream : upstreams_.List()) ids.push_back(upstream->address.id);
  EXPECT_THAT(ids, ElementsAre("id-0", "id-2"));
  EXPECT_EQ(upstreams_.List()[0]->breaker().state(), CircuitBreaker::State::kOpen) << "still ejected";
  EXPECT_EQ(held->upstream().address.id, "id-1") << "a request under way keeps its replica";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(PickedId(), "id-2");
}

TEST_F(UpstreamsTest, AnotherProcessAtTheSameAddressStartsWithACleanSheet) {
  upstreams_.Replace(Addresses(1));
  Fail("id-0");
  auto successor = Addresses(1);
  successor[0].id = "successor";
  upstreams_.Replace(successor);
  EXPECT_EQ(PickedId(), "successor");
}

}  // namespace
}  // namespace seedcore::net
