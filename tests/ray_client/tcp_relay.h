#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

namespace seedcore::testing {

/// Stands between a client and a server on this machine, so that a test can cut the cable.
class TcpRelay {
 public:
  explicit TcpRelay(std::uint16_t target)
      : target_(target), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::pipe2(wake_.data(), O_CLOEXEC), 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { Forward(stop); });
  }
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;
  ~TcpRelay() {
    thread_.request_stop();
    Wake();
    thread_.join();
    for (const int fd : {listener_, wake_[0], wake_[1]}) ::close(fd);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Closes every connection, before it returns. While `is_broken`, new ones are closed at once.
  void Cut(bool is_broken) {
    is_broken_ = is_broken;
    is_cutting_ = true;
    Wake();
    is_cutting_.wait(true);
  }
  void Mend() { is_broken_ = false; }

 private:
  static sockaddr_in Loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void Wake() const { (void)!::write(wake_[1], "x", 1); }

  void Forward(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<pollfd> waits = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
      for (const auto& [from, to] : peers_) waits.push_back({from, POLLIN, 0});
      if (::poll(waits.data(), waits.size(), -1) < 0) continue;
      if (waits[1].revents != 0) {
        std::array<char, 16> buffer{};
        (void)!::read(wake_[0], buffer.data(), buffer.size());
      }
      if (is_cutting_) {
        CloseAll();
        is_cutting_ = false;
        is_cutting_.notify_all();
        continue;
      }
      if (waits[0].revents != 0) Accept();
      for (std::size_t i = 2; i < waits.size(); ++i) {
        if (waits[i].revents != 0 && peers_.contains(waits[i].fd)) Pass(waits[i].fd);
      }
    }
    CloseAll();
  }

  void Accept() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(target_);
    if (is_broken_ || ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(client);
      ::close(server);
      return;
    }
    peers_[client] = server;
    peers_[server] = client;
  }

  void Pass(int from) {
    std::array<char, 65'536> buffer{};
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    const int to = peers_.at(from);
    if (count > 0) {
      for (ssize_t sent = 0; sent < count;) {
        const ssize_t written = ::send(to, buffer.data() + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
        if (written <= 0) break;
        sent += written;
      }
      return;
    }
    for (const int fd : {from, to}) {
      peers_.erase(fd);
      ::close(fd);
    }
  }

  void CloseAll() {
    for (const auto& [fd, peer] : peers_) ::close(fd);
    peers_.clear();
  }

  const std::uint16_t target_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::array<int, 2> wake_{};
  std::map<int, int> peers_;  // of the thread alone; each connection in both directions
  std::atomic<bool> is_broken_ = false;
  std::atomic<bool> is_cutting_ = false;
  std::jthread thread_;
};

}  // namespace seedcore::testing
