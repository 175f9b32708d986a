#pragma once

#include <csignal>
#include <string>
#include <sys/types.h>
#include <vector>

/// A real PostgreSQL server for tests: its own folder, a unix socket and a free TCP port of the loopback interface, no
/// fsync. It ends with the process that started it, also when that one is killed.
namespace seedcore::store::postgres {

class TestServer {
 public:
  /// Names a folder with another server's `initdb` and `postgres`: SEEDCORE_TEST_POSTGRES=/usr/lib/postgresql/13/bin.
  static constexpr char kBinaries[] = "SEEDCORE_TEST_POSTGRES";

  /// Makes and starts one. Throws std::runtime_error with the package to install when PostgreSQL is not there.
  /// Start it from the main thread: the server ends with the thread that started it.
  TestServer() : TestServer(Layout{}) {}
  /// Where its files are, for a disk of their own that gets full; empty: in its own folder.
  struct Layout {
    std::string data_in;
    std::string wal_in;
    std::vector<std::string> options;  ///< name=value
  };
  explicit TestServer(Layout layout);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  /// The one of this process, started at the first call.
  [[nodiscard]] static TestServer& Shared();

  /// A DSN for `database`, over TCP, as the superuser.
  [[nodiscard]] std::string Dsn(const std::string& database) const;
  [[nodiscard]] int port() const { return port_; }
  /// A new database: empty, or with the tables of `source`. Takes the place of one of that name.
  void CreateDatabase(const std::string& name, const std::string& source = "template0");
  /// Runs statements in `database`; throws when one fails.
  void Execute(const std::string& database, const std::string& sql);
  /// Stops it at once, as a crash would (SIGQUIT), or in order but without waiting for its clients (SIGINT), and starts
  /// it again on the same port.
  void Restart(int signal = SIGQUIT);
  /// Whether it has ended by itself, as it does when it cannot write to its log.
  [[nodiscard]] bool HasEnded();
  /// What it has written about itself.
  [[nodiscard]] std::string Log() const;

 private:
  void Start();
  void Stop(int signal);

  const Layout layout_;
  std::string directory_;
  std::string data_;
  std::string binaries_;
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace seedcore::store::postgres
