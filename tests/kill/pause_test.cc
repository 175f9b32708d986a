// A process that stands still past its leases and then goes on: what it finishes too late is refused and counted, and
// every task is completed exactly once.
//
//   pause_test WORKER PLACE [PAUSES]
//
// PLACE: as for kill_test.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include <fmt/format.h>

#include "kill/victim.h"
#include "store/postgres/testing.h"
#include "support/history.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

int Main(const std::string& worker, const std::string& place, int pauses) {
  if (!test::IsDsn(place)) {
    std::filesystem::remove_all(place);
    std::filesystem::create_directories(place);
  }
  Victim victim(worker, place, "slow");
  victim.AwaitWork();
  for (int i = 0; i < pauses; ++i) {
    RealEnv().SleepFor(500ms, {});
    victim.Pause();
    RealEnv().SleepFor(800ms, {});  // its leases hold for 500 ms
    victim.Resume();
  }
  if (const int status = victim.AwaitExit(60s); status != 0) {
    Victim::Die(fmt::format("the tasks did not come to their end ({})", status));
  }
  std::set<std::string> acknowledged = victim.Lines();
  long refused = 0;
  std::erase_if(acknowledged, [&](const std::string& line) {
    if (!line.starts_with("lease_lost ")) return false;
    refused = std::strtol(line.c_str() + line.find(' '), nullptr, 10);
    return true;
  });
  const auto report = test::CheckHistory(ReadHistory(place), acknowledged, {.max_executions = pauses + 2});
  fmt::print("{} pauses: {} tasks, {} claims, {} leases expired, {} late results refused\n", pauses, report.tasks,
             report.claims, report.lease_expiries, refused);
  for (const std::string& violation : report.violations) fmt::print(stderr, "VIOLATION {}\n", violation);
  if (refused == 0 || report.lease_expiries == 0) Victim::Die("the pauses met no work: the test shows nothing");
  if (!report.violations.empty()) return 1;
  if (!test::IsDsn(place)) std::filesystem::remove_all(place);
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    fmt::print(stderr, "usage: pause_test WORKER PLACE [PAUSES]\n");
    return 2;
  }
  std::string place = argv[2];
  std::unique_ptr<seedcore::store::postgres::TestServer> server;
  if (place == "postgresql") {
    server = std::make_unique<seedcore::store::postgres::TestServer>();
    server->CreateDatabase("pause");
    place = server->Dsn("pause");
  }
  return seedcore::Main(argv[1], place, argc > 3 ? std::atoi(argv[3]) : 4);
}
