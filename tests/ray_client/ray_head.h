#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <netinet/in.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "processes.h"

namespace seedcore::testing {

struct RayHeadOptions {
  std::string ray;                             ///< the `ray` program
  bool with_tls = false;                       ///< certificates of its own, on both sides
  std::string token;                           ///< empty: none is asked for
  std::uint64_t memory_limit = 8'000'000'000;  ///< bytes of all processes together, as in tests/ray/ray_head.py
};

inline constexpr std::chrono::seconds kMemoryPeriod{2};

/// A real Ray head node with ports and a folder of its own. Its end takes every process with it, by id. One that takes
/// more memory than it may is ended, and its test fails.
class RayHead {
 public:
  explicit RayHead(RayHeadOptions options) : options_(std::move(options)) {
    std::string pattern = "/tmp/seedcore-ray-XXXXXX";  // short: Ray puts sockets into it
    folder_ = ::mkdtemp(pattern.data());
    variables_ = {"SEEDCORE_TEST_HEAD=" + folder_.string(), "GRPC_ENABLE_FORK_SUPPORT=0", "RAY_USAGE_STATS_ENABLED=0",
                  "PYTHONDONTWRITEBYTECODE=1"};
    if (options_.with_tls) MakeCertificate();
    if (!options_.token.empty()) {
      variables_.insert(variables_.end(), {"RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN=" + options_.token});
    } else {
      variables_.emplace_back("RAY_AUTH_MODE=disabled");
    }
    watch_ = std::jthread([this](const std::stop_token& stop) { WatchMemory(stop); });
    const std::string limit = "120";
    is_up_ =
        Run({"/usr/bin/timeout", limit, options_.ray, "start", "--head", "--num-cpus=2", "--node-ip-address=127.0.0.1",
             Port("--port", gcs_), Port("--ray-client-server-port", client_), Port("--dashboard-port", dashboard_),
             "--dashboard-host=127.0.0.1", Port("--dashboard-agent-listen-port", agent_),
             "--object-store-memory=80000000", "--disable-usage-stats", "--temp-dir=" + (folder_ / "ray").string()},
            variables_, Log()) == 0 &&
        Listens(client_);
    EXPECT_TRUE(is_up_) << ReadWhole(Log());
  }
  RayHead(const RayHead&) = delete;
  RayHead& operator=(const RayHead&) = delete;

  ~RayHead() {
    watch_.request_stop();
    if (watch_.joinable()) watch_.join();
    EXPECT_LE(peak_memory_, options_.memory_limit) << "the cluster took too much memory and was ended";
    KillAll();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  /// Runs a Python script of this folder with the address of the cluster and `arguments`.
  [[nodiscard]] int RunScript(const std::string& script, std::vector<std::string> arguments) const {
    const std::string python = std::filesystem::path(options_.ray).parent_path() / "python";
    std::vector<std::string> line = {"/usr/bin/timeout", "60", python,
                                     std::string(SEEDCORE_SOURCE_DIR) + "/tests/ray_client/" + script,
                                     fmt::format("127.0.0.1:{}", gcs_)};
    line.insert(line.end(), arguments.begin(), arguments.end());
    return Run(line, variables_, Log());
  }

  /// Kills the server processes whose command line contains `text`; returns how many there were.
  [[nodiscard]] std::size_t KillServers(const std::string& text) const {
    std::size_t count = 0;
    for (const pid_t process : ProcessesWith(folder_.string())) {
      const std::string command = ReadWhole(fmt::format("/proc/{}/cmdline", process));
      if (!command.contains(text)) continue;
      ++count;
      ::kill(process, SIGKILL);
    }
    return count;
  }

  [[nodiscard]] bool is_up() const { return is_up_; }
  [[nodiscard]] std::uint16_t client_port() const { return client_; }
  [[nodiscard]] std::string client_address() const { return fmt::format("ray://127.0.0.1:{}", client_); }
  [[nodiscard]] std::string dashboard_url() const { return fmt::format("http://127.0.0.1:{}", dashboard_); }
  [[nodiscard]] std::uint16_t gcs_port() const { return gcs_; }
  [[nodiscard]] std::filesystem::path Log() const { return folder_ / "start.log"; }
  [[nodiscard]] std::string certificate() const { return ReadWhole(folder_ / "cert.pem"); }
  [[nodiscard]] std::string key() const { return ReadWhole(folder_ / "key.pem"); }

 private:
  static std::string Port(const std::string& option, std::uint16_t& port) {
    port = FreePort();
    return fmt::format("{}={}", option, port);
  }

  /// No other head of this process gets the same one. Ray wants 10002 to 19999 and 23000 to 24000 for its own
  /// processes.
  static std::uint16_t FreePort() {
    static std::set<std::uint16_t> taken;
    for (int port = 20'100 + (::getpid() % 150) * 16; port < 23'000; ++port) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(port));
      address.sin_addr.s_addr = htonl(INADDR_ANY);
      const bool is_free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      ::close(fd);
      if (is_free && taken.insert(static_cast<std::uint16_t>(port)).second) return static_cast<std::uint16_t>(port);
    }
    return 0;
  }

  /// Workers that have lost their raylet end by themselves; some rename themselves and cannot be found.
  void KillAll() const {
    for (int round = 0; round < 20; ++round) {
      const std::vector<pid_t> left = ProcessesWith(folder_.string());
      if (left.empty()) break;
      for (const pid_t process : left) ::kill(process, SIGKILL);
    }
  }

  /// On a thread of its own until the head ends.
  void WatchMemory(const std::stop_token& stop) {
    while (RealEnv().SleepFor(kMemoryPeriod, stop)) {
      std::uint64_t used = 0;
      for (const pid_t process : ProcessesWith(folder_.string())) used += ProportionalMemory(process);
      peak_memory_ = std::max(peak_memory_, used);
      if (used > options_.memory_limit) return KillAll();
    }
  }

  /// `ray start` does not wait for its client server.
  static bool Listens(std::uint16_t port) {
    constexpr int kTries = 1200;
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 50'000'000};
    for (int i = 0; i < kTries; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      ::close(fd);
      if (connected) return true;
      ::nanosleep(&kPause, nullptr);
    }
    return false;
  }

  /// Self-signed, for every address Ray may use for this machine.
  void MakeCertificate() {
    const std::string script = fmt::format(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout {0}/key.pem -out {0}/cert.pem -days 2 -subj /CN=seedcore "
        "-addext \"subjectAltName=DNS:localhost,IP:127.0.0.1$(hostname -I | tr ' ' '\\n' | grep . | sed 's/^/,IP:/' | "
        "tr -d '\\n')\"",
        folder_.string());
    EXPECT_EQ(Run({"/bin/sh", "-c", script}, {}, Log()), 0) << ReadWhole(Log());
    const std::string files = folder_.string();
    variables_.insert(variables_.end(),
                      {"RAY_USE_TLS=1", "RAY_TLS_SERVER_CERT=" + files + "/cert.pem",
                       "RAY_TLS_SERVER_KEY=" + files + "/key.pem", "RAY_TLS_CA_CERT=" + files + "/cert.pem"});
  }

  RayHeadOptions options_;
  std::filesystem::path folder_;
  std::vector<std::string> variables_;
  std::uint16_t gcs_ = 0, client_ = 0, dashboard_ = 0, agent_ = 0;
  bool is_up_ = false;
  std::uint64_t peak_memory_ = 0;  // bytes, as far as it was seen; of watch_ while that runs
  std::jthread watch_;
};

}  // namespace seedcore::testing
