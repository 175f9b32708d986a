// What bench/gateway loads: `gateway_host DIR [REPLICAS]` starts the embedded platform, replicas of the energy service
// with listeners of their own, and the native gateway over these; prints their URLs as one JSON line, and serves until
// SIGTERM. All in one process, on the cores that a cluster's processes would share.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "app/engine.h"
#include "app/gateway.h"
#include "app/platform.h"
#include "base/env.h"
#include "base/log.h"

namespace {

using namespace seedcore;

constexpr char kToken[] = "bench";

template <class T>
T Must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "gateway_host: {}\n", ToString(result.error()));
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: gateway_host DIR [REPLICAS]\n");
    return 2;
  }
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  ::setenv("SEEDCORE_CLUSTER_TOKEN", kToken, 1);
  ::setenv("LOG_LEVEL", "warning", 1);
  const std::filesystem::path folder = argv[1];
  const int replicas = argc > 2 ? std::atoi(argv[2]) : 1;

  settings::Settings settings = Must(settings::Load({}, ""));
  settings.server.listen.port = settings.server.api_listen.port = settings.gateway.listen.port = 0;
  settings.store.data_dir = folder / "embedded";
  const auto platform = Must(app::Platform::Start(settings, RealEnv()));
  settings.store.data_dir = folder / "cluster";
  std::vector<std::unique_ptr<app::ServiceEngine>> engines;
  for (int i = 0; i < replicas; ++i) {
    engines.push_back(Must(app::ServiceEngine::Start(
        {.service = "energy",
         .gateway_url = "http://127.0.0.1:9",
         .user_config = {{"store.data_dir", settings.store.data_dir.string()}, {"direct.drain_notice", "0s"}},
         .settings_file = {},
         .place = {}},
        RealEnv())));
  }
  const auto gateway = Must(app::Gateway::Start(settings, RealEnv()));
  fmt::print(R"({{"embedded": "{}", "replica": "http://{}", "gateway": "{}", "token": "{}"}})"
             "\n",
             platform->services_url(), engines.front()->DirectAddress(), gateway->url(), kToken);
  std::fflush(stdout);
  int received = 0;
  sigwait(&stop, &received);
  return 0;
}
