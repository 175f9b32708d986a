#include "store/postgres/testing.h"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <pwd.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "store/postgres/connection.h"

namespace seedcore::store::postgres {
namespace {

namespace fs = std::filesystem;

constexpr char kUser[] = "seedcore";
constexpr char kPassword[] = "s3cret-of-tests";

[[noreturn]] void Die(const std::string& what) { throw std::runtime_error("PostgreSQL for tests: " + what); }

/// Those of the environment, or else the newest installed server.
std::string FindBinaries() {
  if (const char* const named = std::getenv(TestServer::kBinaries); named != nullptr && *named != '\0') {
    if (fs::exists(fs::path(named) / "initdb")) return named;
    Die(fmt::format("{} names {}, where there is no initdb", TestServer::kBinaries, named));
  }
  std::string found;
  int newest = 0;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", none)) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (version > newest && fs::exists(entry.path() / "bin" / "initdb")) {
      newest = version;
      found = entry.path() / "bin";
    }
  }
  if (found.empty()) Die("no server in /usr/lib/postgresql; install the package postgresql (see packages.txt)");
  return found;
}

/// PostgreSQL refuses to run as root.
std::vector<std::string> AsServerUser() {
  std::vector<std::string> command{"setpriv", "--pdeathsig", "QUIT"};
  if (::geteuid() == 0) command.insert(command.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
  return command;
}

pid_t Spawn(std::vector<std::string> words, const std::string& log) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // Its own group, so that Ctrl-C at the test does not reach it before the test has ended.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, words[0].c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Die("cannot start " + words[0]);
  return pid;
}

int Wait(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// In memory where the system has enough of that: a disk that others are busy with makes a server stand still for half
/// a minute now and then.
fs::path RoomyFolder() {
  constexpr std::uintmax_t kEnough = std::uintmax_t{4} << 30;
  const fs::path memory = "/dev/shm";
  std::error_code none;
  const fs::space_info space = fs::space(memory, none);
  return !none && space.available >= kEnough ? memory : fs::temp_directory_path();
}

int FreePort() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Die("no free port");
  }
  ::close(listener);
  return ntohs(address.sin_port);
}

}  // namespace

TestServer::TestServer(Layout layout) : layout_(std::move(layout)), binaries_(FindBinaries()) {
  directory_ = (RoomyFolder() / "seedcore-postgres-XXXXXX").string();
  if (::mkdtemp(directory_.data()) == nullptr) Die("no temporary directory");
  if (::geteuid() == 0) {
    const passwd* const user = ::getpwnam("postgres");
    if (user == nullptr) Die("there is no user postgres; install the package postgresql (see packages.txt)");
    if (::chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) Die("cannot give the folder to postgres");
  }
  std::ofstream(directory_ + "/password") << kPassword << "\n";
  fs::permissions(directory_ + "/password", fs::perms::all);
  data_ = (layout_.data_in.empty() ? directory_ : layout_.data_in) + "/data";
  std::vector<std::string> init = AsServerUser();
  init.insert(init.end(), {binaries_ + "/initdb", "--pgdata=" + data_, "--encoding=UTF8", "--locale=C",
                           std::string("--username=") + kUser, "--auth=scram-sha-256",
                           "--pwfile=" + directory_ + "/password", "--no-sync"});
  if (!layout_.wal_in.empty()) {
    init.insert(init.end(), {"--waldir=" + layout_.wal_in + "/wal", "--wal-segsize=1"});
  }
  if (Wait(Spawn(init, directory_ + "/log")) != 0) Die("initdb failed: " + ReadFile(directory_ + "/log"));
  port_ = FreePort();
  Start();
}

TestServer::~TestServer() {
  Stop(SIGQUIT);
  std::error_code none;
  fs::remove_all(directory_, none);
}

TestServer& TestServer::Shared() {
  static TestServer server;
  return server;
}

void TestServer::Start() {
  std::vector<std::string> command = AsServerUser();
  command.insert(command.end(), {binaries_ + "/postgres", "-D", data_, "-k", directory_});
  for (const std::string& option :
       {fmt::format("port={}", port_), std::string("listen_addresses=127.0.0.1"), std::string("fsync=off"),
        std::string("full_page_writes=off"), std::string("max_connections=200"), std::string("shared_buffers=64MB"),
        std::string("autovacuum_naptime=5s"), std::string("deadlock_timeout=50ms")}) {
    command.insert(command.end(), {"-c", option});
  }
  for (const std::string& option : layout_.options) command.insert(command.end(), {"-c", option});
  pid_ = Spawn(command, directory_ + "/log");
  for (int tries = 0; tries < 600; ++tries) {
    if (Connection::Open({.dsn = Dsn("postgres"), .setup = {}})) return;
    if (HasEnded()) break;
    RealEnv().SleepFor(std::chrono::milliseconds(50), {});
  }
  Die("the server does not start: " + ReadFile(directory_ + "/log"));
}

void TestServer::Stop(int signal) {
  if (pid_ == 0) return;
  ::kill(pid_, signal);
  Wait(pid_);
  pid_ = 0;
}

bool TestServer::HasEnded() {
  int status = 0;
  if (pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) pid_ = 0;
  return pid_ == 0;
}

std::string TestServer::Log() const { return ReadFile(directory_ + "/log"); }

void TestServer::Restart(int signal) {
  Stop(signal);
  Start();
}

std::string TestServer::Dsn(const std::string& database) const {
  return fmt::format("postgresql://{}:{}@127.0.0.1:{}/{}", kUser, kPassword, port_, database);
}

void TestServer::CreateDatabase(const std::string& name, const std::string& source) {
  // One of an earlier run in this process, as with --gtest_repeat.
  Execute("postgres", fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name));
  Execute("postgres", fmt::format("CREATE DATABASE {} TEMPLATE {}", name, source));
}

void TestServer::Execute(const std::string& database, const std::string& sql) {
  // As long as it takes: what is measured here is nothing but the machine.
  constexpr std::chrono::milliseconds kForever{0};
  const auto connection = Connection::Open({.dsn = Dsn(database),
                                            .connect_timeout = std::chrono::minutes(2),
                                            .statement_timeout = kForever,
                                            .lock_timeout = kForever,
                                            .setup = {}});
  if (!connection) Die(ToString(connection.error()));
  if (auto done = (*connection)->Script(sql.c_str()); !done) Die(ToString(done.error()) + " in " + sql);
}

}  // namespace seedcore::store::postgres
