#pragma once

#include <arpa/inet.h>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/testing.h"

// For the tests of this room: a server that says exactly the bytes it is told to.
namespace seedcore::net::testing {

/// Accepts connections one by one and plays a script on each: reads a request, then sends the given bytes and closes,
/// or keeps the connection when the script's next line is for the same one.
class ScriptedServer {
 public:
  struct Step {
    std::string reply;            ///< sent after one request was read
    bool close_after = true;      ///< ends the connection
    bool ignore_request = false;  ///< replies (or closes) at once
  };

  explicit ScriptedServer(std::vector<Step> script) : script_(std::move(script)) {
    thread_ = std::jthread([this] { Play(); });
  }
  ~ScriptedServer() {
    listener_.Stop();
    thread_.join();
  }

  [[nodiscard]] std::uint16_t port() const { return listener_.port(); }
  /// After the script has been played.
  [[nodiscard]] std::vector<std::string> Requests() {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void Play() {
    int fd = -1;
    for (const Step& step : script_) {
      if (fd < 0) fd = listener_.Accept();
      if (fd < 0) return;
      if (!step.ignore_request) ReadRequest(fd);
      std::string_view rest = step.reply;
      while (!rest.empty()) {
        const auto sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent <= 0) break;
        rest.remove_prefix(static_cast<std::size_t>(sent));
      }
      if (step.close_after) ::close(std::exchange(fd, -1));
    }
    // A script that ends with an open connection leaves the client waiting until the client ends it.
    char byte;
    if (fd >= 0) {
      while (::recv(fd, &byte, 1, 0) > 0) {
      }
      ::close(fd);
    }
  }
  void ReadRequest(int fd) {
    std::string text;
    char byte;
    while (text.find("\r\n\r\n") == std::string::npos && ::recv(fd, &byte, 1, 0) == 1) text += byte;
    const std::scoped_lock lock(mutex_);
    requests_.push_back(std::move(text));
  }

  std::vector<Step> script_;
  LoopbackListener listener_;
  std::mutex mutex_;  // guards requests_
  std::vector<std::string> requests_;
  std::jthread thread_;
};

}  // namespace seedcore::net::testing
