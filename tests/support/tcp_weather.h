#pragma once

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/env.h"

namespace seedcore::test {

/// What a network does to connections. Every number is of one connection, drawn anew for each piece of data.
struct Weather {
  double cut = 0.0;                       ///< chance that the connection is cut, after half of the piece has passed
  double slice = 0.0;                     ///< chance that the piece passes in two, with a pause in between
  double delay = 0.0;                     ///< chance that the piece waits
  std::chrono::milliseconds longest{20};  ///< of a pause
};

/// Relays connections of the loopback interface to a server, in the weather it is given. Seeded: the faults of a
/// connection follow from its number; which data meets them depends on timing.
class TcpWeather {
 public:
  TcpWeather(int server_port, Weather weather, unsigned seed)
      : server_port_(server_port), weather_(weather), seed_(seed), listener_(Socket()) {
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("the relay cannot listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { Accept(); });
  }
  TcpWeather(const TcpWeather&) = delete;
  TcpWeather& operator=(const TcpWeather&) = delete;
  ~TcpWeather() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    relays_.clear();  // joins
    ::close(listener_);
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int cuts() const { return cuts_; }
  [[nodiscard]] int slices() const { return slices_; }
  [[nodiscard]] int delays() const { return delays_; }
  /// From here on data passes as it comes.
  void Clear() { is_clear_ = true; }

 private:
  struct Relay {
    std::atomic<bool> ended = false;
    std::jthread thread;
  };

  static int Socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void Accept() {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      relays_.remove_if([](const Relay& relay) { return relay.ended.load(); });
      const unsigned number = seed_ + static_cast<unsigned>(++connections_);
      Relay& relay = relays_.emplace_back();
      relay.thread = std::jthread([this, client, number, &relay] {
        Pass(client, number);
        relay.ended = true;
      });
    }
  }

  void Pass(int client, unsigned number) {
    std::mt19937 random(number);
    const int server = Socket();
    const sockaddr_in address = Loopback(server_port_);
    bool open = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    while (open && !stopping_) {
      std::array<pollfd, 2> ready{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
      constexpr int kLookAgainMs = 50;
      ::poll(ready.data(), ready.size(), kLookAgainMs);
      for (const auto& [from, to] : {std::pair(0U, server), std::pair(1U, client)}) {
        if (open && ready[from].revents != 0) open = PassPiece(ready[from].fd, to, random);
      }
    }
    ::close(client);
    ::close(server);
  }

  bool PassPiece(int from, int to, std::mt19937& random) {
    std::array<char, 8192> buffer;
    const ssize_t read = ::read(from, buffer.data(), buffer.size());
    if (read <= 0) return false;
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(read));
    if (is_clear_) return Send(to, piece);
    const std::size_t half = piece.size() / 2;
    const auto happens = [&](double chance) { return std::uniform_real_distribution<>(0, 1)(random) < chance; };
    if (happens(weather_.cut)) {
      ++cuts_;
      (void)Send(to, piece.substr(0, half));
      return false;
    }
    if (happens(weather_.delay)) {
      ++delays_;
      Pause(random);
    }
    if (!happens(weather_.slice)) return Send(to, piece);
    ++slices_;
    if (!Send(to, piece.substr(0, half))) return false;
    Pause(random);
    return Send(to, piece.substr(half));
  }

  void Pause(std::mt19937& random) const { RealEnv().SleepFor(weather_.longest * (random() % 1000) / 1000, {}); }
  static bool Send(int to, std::string_view piece) {
    while (!piece.empty()) {
      const ssize_t sent = ::send(to, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      piece.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  const int server_port_;
  const Weather weather_;
  const unsigned seed_;
  const int listener_;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> is_clear_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<int> cuts_ = 0;
  std::atomic<int> slices_ = 0;
  std::atomic<int> delays_ = 0;
  std::list<Relay> relays_;  // the acceptor's until it has ended
  std::jthread acceptor_;
};

}  // namespace seedcore::test
