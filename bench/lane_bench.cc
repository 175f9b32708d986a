// Calls per second over the direct lane: `lane_bench DATA_DIR BODY_FILE SECONDS IN_FLIGHT` asks the live replicas of
// the energy service that the store of DATA_DIR knows, from IN_FLIGHT threads, and prints one JSON line. As a service
// of SeedCore calls another one: a blocking call each, over kept connections.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "app/cluster_token.h"
#include "app/direct_lane.h"
#include "app/foundation.h"
#include "app/replica_directory.h"
#include "app/section_settings.h"
#include "base/env.h"
#include "base/log.h"

namespace {

using namespace seedcore;

[[noreturn]] void Die(const std::string& why) {
  fmt::print(stderr, "lane_bench: {}\n", why);
  std::exit(1);
}

template <class T>
T Must(Result<T> result) {
  if (!result) Die(ToString(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) Die("usage: lane_bench DATA_DIR BODY_FILE SECONDS IN_FLIGHT");
  std::ifstream file(argv[2], std::ios::binary);
  const std::string body{std::istreambuf_iterator<char>(file), {}};
  const auto span =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(std::atof(argv[3])));
  const int in_flight = std::atoi(argv[4]);
  if (body.empty() || in_flight < 1) Die("an empty body, or nothing in flight");

  settings::Settings settings = Must(settings::Load({}, ""));
  log::Configure(log::Level::kError, settings.log.format);
  settings.store.data_dir = argv[1];
  settings.store.shared = true;
  const auto foundation = Must(app::Foundation::Open(settings.store, RealEnv()));
  const std::string token = Must(app::ClusterToken(settings.direct, foundation->store->streams()));
  app::ReplicaDirectory directory(foundation->store->registry(), app::EjectionFrom(settings.gateway),
                                  settings.gateway.refresh, RealEnv());
  Must(directory.Refresh());
  app::DirectLane lane(directory, directory.Of("energy"), "energy", token, app::LaneTimeoutsFrom(settings), RealEnv());

  net::ClientRequest request;
  request.method = net::Method::kPost;
  request.target = "/energy/compute-energy";
  request.body = body;
  std::atomic<std::int64_t> calls = 0;
  const Instant begun = RealEnv().Now();
  const double cpu_before = CpuSeconds();
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < in_flight; ++i) {
      callers.emplace_back([&] {
        while (RealEnv().Now() - begun < span) {
          const auto response = lane.Send(request, CallContext{}.Within(std::chrono::seconds(10), RealEnv()));
          if (!response) Die("no replica");
          if (!*response) Die(ToString(response->error()));
          if ((*response)->status != 200) Die(fmt::format("status {}: {}", (*response)->status, (*response)->body));
          ++calls;
        }
      });
    }
  }
  const double took = std::chrono::duration<double>(RealEnv().Now() - begun).count();
  fmt::print(R"({{"calls": {}, "seconds": {:.6f}, "caller_cpu_us_per_call": {:.2f}}})"
             "\n",
             calls.load(), took, (CpuSeconds() - cpu_before) / static_cast<double>(calls.load()) * 1e6);
  return 0;
}
