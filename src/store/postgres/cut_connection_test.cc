// What becomes of submits, claims and results when the connections to PostgreSQL are cut at any byte.
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::seconds;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Relays connections to a server, and cuts each after a random number of pieces, in the middle of one.
class CuttingProxy {
 public:
  CuttingProxy(int server_port, unsigned seed) : server_port_(server_port), random_(seed) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("the proxy cannot listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { Accept(); });
  }
  ~CuttingProxy() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    relays_.clear();  // joins
    ::close(listener_);
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int cuts() const { return cuts_; }

 private:
  void Accept() {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      const int pieces = 20 + static_cast<int>(random_() % 120);
      relays_.emplace_back([this, client, pieces] { Relay(client, pieces); });
    }
  }

  void Relay(int client, int pieces) {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(server_port_);
    bool open = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    std::array<char, 4096> buffer;
    while (open && !stopping_) {
      std::array<pollfd, 2> ready{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
      constexpr int kLookAgainMs = 50;
      ::poll(ready.data(), ready.size(), kLookAgainMs);
      for (const auto& [from, to] : {std::pair(0U, server), std::pair(1U, client)}) {
        if (!open || ready[from].revents == 0) continue;
        const ssize_t count = ::read(ready[from].fd, buffer.data(), buffer.size());
        const bool cut = --pieces == 0;
        const ssize_t passed = cut ? count / 2 : count;
        open =
            passed > 0 && ::send(to, buffer.data(), static_cast<std::size_t>(passed), MSG_NOSIGNAL) == passed && !cut;
        if (cut) ++cuts_;
      }
    }
    ::close(client);
    ::close(server);
  }

  const int server_port_;
  std::mt19937 random_;  // the acceptor's
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> cuts_ = 0;
  std::vector<std::jthread> relays_;  // the acceptor's until it has ended
  std::jthread acceptor_;
};

/// Submits until it is acknowledged: the key makes a repetition harmless.
std::string SubmitForSure(TaskStore& tasks, const std::string& key) {
  for (;;) {
    const auto answer =
        tasks.Submit(std::vector<NewTask>{{.type = "a", .retry = {.max_attempts = 100}, .idempotency_key = key}});
    if (answer) return answer->front().task.id;
    EXPECT_TRUE(IsRetryable(answer.error().code)) << ToString(answer.error());
  }
}

void ClaimAndFinish(TaskStore& tasks) {
  const auto claims = tasks.ClaimTasks({.owner_id = "w", .limit = 3});
  if (!claims) return;  // whatever it claimed comes back when the lease ends
  std::vector<Finish> finishes;
  for (const Claim& claim : *claims) finishes.push_back({claim.lease(), Completed{}, {}});
  // Repeated as a worker would: once stored, the repetition is refused, and that is fine.
  for (int tries = 0; tries < 3; ++tries) {
    const auto answers = tasks.FinishTasks(finishes);
    if (answers) return;
    EXPECT_TRUE(IsRetryable(answers.error().code)) << ToString(answers.error());
  }
}

TEST(PostgresCut, NothingIsLostOrDoneTwiceWhenConnectionsAreCut) {
  constexpr int kThreads = 4, kEach = 60;
  TestServer& server = TestServer::Shared();
  server.CreateDatabase("cut");
  SimEnv env;
  Metrics metrics;
  const auto direct = Must(OpenPostgresStore({.dsn = server.Dsn("cut")}, env, metrics));

  std::mutex mutex;
  std::map<std::string, std::string> acknowledged;  // id by key
  int cuts = 0;
  {
    CuttingProxy proxy(server.port(), 1);
    const std::string good = server.Dsn("cut");
    const std::string from = fmt::format(":{}/", server.port());
    std::string dsn = good;
    dsn.replace(dsn.find(from), from.size(), fmt::format(":{}/", proxy.port()));
    // The connection that opens the store may be cut as well.
    Result<std::unique_ptr<Store>> store = Fail(ErrorCode::kUnavailable, "not opened yet");
    while (!store) store = OpenPostgresStore({.dsn = dsn + "?sslmode=disable"}, env, metrics);
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < kEach; ++i) {
            const std::string key = fmt::format("{}-{}", t, i);
            const std::string id = SubmitForSure((*store)->tasks(), key);
            ClaimAndFinish((*store)->tasks());
            const std::scoped_lock lock(mutex);
            acknowledged.emplace(key, id);
          }
        });
      }
    }
    cuts = proxy.cuts();
    store->reset();
  }
  EXPECT_GT(cuts, 5) << "the test shows nothing";

  env.Advance(seconds(31));
  Must(direct->tasks().Reap(1000));
  for (;;) {
    const auto claims = Must(direct->tasks().ClaimTasks({.owner_id = "w", .limit = 100}));
    if (claims.empty()) break;
    for (const Claim& claim : claims) {
      Must(Must(direct->tasks().FinishTasks(std::vector<Finish>{{claim.lease(), Completed{}, {}}})).front());
    }
  }
  std::map<std::string, int> completions;
  for (const TaskEvent& event : Must(direct->tasks().EventsAfter(0, 1'000'000))) {
    completions[event.task_id] += event.kind == "completed" ? 1 : 0;
  }
  EXPECT_EQ(completions.size(), acknowledged.size()) << "each key is one task";
  for (const auto& [key, id] : acknowledged) EXPECT_EQ(completions[id], 1) << key;
}

}  // namespace
}  // namespace seedcore::store::postgres
