// Nothing that was accepted is lost or done twice when the disk of PostgreSQL gets full, and work goes on by itself
// when there is space again: three clients, each with a store, a dispatcher and a reaper of its own, submit and execute
// tasks all the while. In turns it is the disk of the tables, where PostgreSQL refuses what needs space, and that of
// the write-ahead log, where it stops altogether (PANIC), tries to come back, and ends when it cannot.
//
//   disk_full_test [ROUNDS]
//
// The server is this test's own, and so are the disks: two small ones in memory, in a mount namespace of this process,
// which needs the right to mount. Without it the test says so and is skipped (exit code 77).

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sched.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/log.h"
#include "base/testing.h"
#include "kill/client.h"
#include "store/postgres/testing.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

constexpr char kName[] = "disk_full_test";
constexpr int kSkipped = 77;
constexpr int kClients = 3;
constexpr int kMany = 1'000'000;        ///< more than anybody submits before it is told to stop
constexpr std::size_t kPadding = 2000;  ///< bytes in a task, so that space is used up soon
constexpr auto kFull = 2s;              ///< how long a disk stays full, at least
constexpr auto kPatience = 3min;

/// A file system in memory that can be filled up, of the mount namespace that this process has for itself.
class SmallDisk {
 public:
  SmallDisk(std::string path, int megabytes) : path_(std::move(path)) {
    const std::string options = fmt::format("size={}m,mode=0777", megabytes);
    if (::mkdir(path_.c_str(), 0777) != 0 || ::mount("tmpfs", path_.c_str(), "tmpfs", 0, options.c_str()) != 0) {
      test::Die(kName, "cannot mount " + path_);
    }
  }
  ~SmallDisk() { ::umount2(path_.c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// To the last page, whatever others take of it meanwhile. Again when they have given something back.
  void Fill() {
    static constexpr std::array<char, 1 << 16> kBallast{};
    const int file = ::open(Ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    while (::write(file, kBallast.data(), kBallast.size()) > 0) {
    }
    ::close(file);
  }
  void Free() { ::unlink(Ballast().c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] std::string Ballast() const { return path_ + "/ballast"; }
  const std::string path_;
};

int Count(const std::string& text, std::string_view what) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
  return count;
}

class Campaign {
 public:
  explicit Campaign(const std::string& folder)
      : tables_(folder + "/tables", 512),
        log_(folder + "/log", 256),
        server_({.data_in = tables_.path(),
                 .wal_in = log_.path(),
                 .options = {"max_wal_size=192MB", "min_wal_size=2MB", "checkpoint_timeout=1h"}}) {
    server_.CreateDatabase("disks");
    for (int i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<test::Client>(server_.Dsn("disks"), i, kMany, kPadding));
    }
  }

  /// Whether submits were answered by a clear error while the disk was full, and everybody went on afterwards.
  void FillTables() {
    AwaitProgress();
    Forget();
    const Instant until = env_.Now() + kFull;
    std::set<std::string> seen;
    Await("a submit that is refused because the disk is full", [&] {
      tables_.Fill();
      for (const auto& client : clients_) seen.merge(client->TakeRefusals());
      for (const std::string& message : seen) {
        if (message.contains("the disk of the database is full; nothing was stored")) return env_.Now() >= until;
      }
      return false;
    });
    if (server_.HasEnded()) test::Die(kName, "the server ended because its tables had no space");
    tables_.Free();
    ++tables_filled_;
    AwaitProgress();
  }

  void FillLog() {
    AwaitProgress();
    const int panics = Panics();
    log_.Fill();
    const Instant until = env_.Now() + kFull;
    Await("a server that stops because its log has no space", [&] {
      if (Panics() == panics) WriteToLog();
      return Panics() > panics && env_.Now() >= until;
    });
    log_.Free();
    ++logs_filled_;
    // Either it gets up again by itself, or whoever looks after it starts it anew.
    Await("the server", [&] {
      if (server_.HasEnded()) {
        server_.Restart();
        ++started_again_;
      }
      return test::OpenTasks(clients_[0]->tasks()) >= 0 && Progressed();
    });
  }

  int End() {
    for (const auto& client : clients_) client->StopSubmitting();
    Await("the end of the tasks", [&] {
      for (const auto& client : clients_) {
        if (!client->HasSubmitted()) return false;
      }
      return test::OpenTasks(clients_[0]->tasks()) == 0;
    });
    int refused = 0;
    std::int64_t late = 0;
    std::set<std::string> acknowledged;
    for (const auto& client : clients_) {
      acknowledged.merge(client->Acknowledged());
      refused += client->refused();
      late += client->late();
    }
    const int panics = Panics();
    clients_.clear();
    const test::Verdict verdict = test::Verify(kName, server_.Dsn("disks"), acknowledged);
    auto report = verdict.report;
    if (report.tasks != acknowledged.size()) {
      report.violations.push_back(fmt::format("{} tasks, and {} were acknowledged", report.tasks, acknowledged.size()));
    }
    fmt::print(
        "the tables' disk full {} times, the log's {} times, in {:.1f} s: {} PANICs of PostgreSQL, {} times started "
        "again from outside\n",
        tables_filled_, logs_filled_, std::chrono::duration<double>(env_.Now() - begun_).count(), panics,
        started_again_);
    fmt::print(
        "{} tasks, {} acknowledged, {} submits repeated, {} events, {} claims, {} leases expired, {} retries, {} late "
        "results refused, at most {} executions of a task; {} violations\n",
        report.tasks, acknowledged.size(), refused, verdict.events, report.claims, report.lease_expiries,
        report.retries, late, report.most_executions, report.violations.size());
    for (const std::string& violation : report.violations) fmt::print(stderr, "VIOLATION {}\n", violation);
    return report.violations.empty() ? 0 : 1;
  }

 private:
  template <class Condition>
  void Await(const std::string& what, Condition condition) {
    const Instant patience = env_.Now() + kPatience;
    while (!condition()) {
      if (env_.Now() > patience) test::Die(kName, "in vain waited for " + what + "\n" + server_.Log());
      env_.SleepFor(20ms, {});
    }
  }
  /// Each client has completed something since the last time all had.
  bool Progressed() {
    completed_.resize(clients_.size());
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (clients_[i]->completed() <= completed_[i]) return false;
    }
    return true;
  }
  void AwaitProgress() {
    completed_.clear();
    for (const auto& client : clients_) completed_.push_back(client->completed());
    Await("completed tasks", [&] { return Progressed(); });
  }
  /// Beside what the clients write, which on a busy machine is little: the server has some room of its own left.
  void WriteToLog() {
    try {
      server_.Execute("disks", "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))");
    } catch (const std::runtime_error&) {  // it has stopped
    }
  }
  void Forget() {
    for (const auto& client : clients_) (void)client->TakeRefusals();
  }
  [[nodiscard]] int Panics() const { return Count(server_.Log(), "PANIC:"); }

  Env& env_ = RealEnv();
  SmallDisk tables_;
  SmallDisk log_;
  store::postgres::TestServer server_;
  std::vector<std::unique_ptr<test::Client>> clients_;
  std::vector<std::int64_t> completed_;
  const Instant begun_ = env_.Now();
  int tables_filled_ = 0;
  int logs_filled_ = 0;
  int started_again_ = 0;
};

int Main(int rounds) {
  log::Configure(log::Level::kError, log::Format::kText);
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    fmt::print("skipped: this user may not mount a small disk; run it as root\n");
    return kSkipped;
  }
  const test::TemporaryFolder folder;
  // Root is not the user of the server.
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  Campaign campaign(folder.path().string());
  for (int i = 0; i < rounds; ++i) {
    campaign.FillTables();
    campaign.FillLog();
  }
  return campaign.End();
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc > 2) {
    fmt::print(stderr, "usage: disk_full_test [ROUNDS]\n");
    return 2;
  }
  return seedcore::Main(argc > 1 ? std::atoi(argv[1]) : 1);
}
