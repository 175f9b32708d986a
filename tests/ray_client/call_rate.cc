// ray_client_call_rate ADDRESS NAMESPACE ACTOR METHOD: calls per second, one after the other and 16 at once.
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "ray/client/ray_client.h"

namespace {

using namespace seedcore;

constexpr int kCallsPerThread = 500;

double CallsPerSecond(ray::RayClient& client, const ray::ActorCall& actor_call, int threads) {
  const Instant start = RealEnv().Now();
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < threads; ++i) {
      callers.emplace_back([&] {
        for (int k = 0; k < kCallsPerThread; ++k) {
          const auto result = client.CallActor(actor_call, {});
          if (!result) fmt::print(stderr, "{}\n", ToString(result.error()));
        }
      });
    }
  }
  return threads * kCallsPerThread / std::chrono::duration<double>(RealEnv().Now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto client = ray::ConnectRayClient({.address = argv[1], .ray_namespace = argv[2]}, RealEnv(), {});
  if (!client) {
    fmt::print(stderr, "{}\n", ToString(client.error()));
    return 1;
  }
  const ray::ActorCall actor_call{.actor = argv[3], .method = argv[4]};
  CallsPerSecond(**client, actor_call, 1);  // warms the path
  for (const int threads : {1, 16}) {
    fmt::print("{:2} in flight: {:.0f} calls/s\n", threads, CallsPerSecond(**client, actor_call, threads));
  }
  return 0;
}
