#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "store/conformance.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store {
namespace {

/// The databases of the tests: one for each directory, copied from one whose tables were made once.
class Databases {
 public:
  std::string DsnOf(const std::string& directory) {
    postgres::TestServer& server = postgres::TestServer::Shared();
    if (made_ == 0) MakeTemplate(server);
    if (const auto known = names_.find(directory); known != names_.end()) return server.Dsn(known->second);
    DropUnused(server);
    const std::string name = fmt::format("test_{}", ++made_);
    server.CreateDatabase(name, kTemplate);
    names_.emplace(directory, name);
    return server.Dsn(name);
  }

 private:
  static constexpr char kTemplate[] = "seedcore_template";

  static void MakeTemplate(postgres::TestServer& server) {
    server.CreateDatabase(kTemplate);
    SimEnv env;
    Metrics metrics;
    Must(postgres::OpenPostgresStore({.dsn = server.Dsn(kTemplate)}, env, metrics));
  }

  /// The test that a database was for has ended when its directory is gone.
  void DropUnused(postgres::TestServer& server) {
    std::erase_if(names_, [&](const auto& entry) {
      if (std::filesystem::exists(entry.first)) return false;
      server.Execute("postgres", fmt::format("DROP DATABASE {} WITH (FORCE)", entry.second));
      return true;
    });
  }

  std::map<std::string, std::string> names_{};  // by directory
  int made_ = 0;
};

SEEDCORE_STORE_CONFORMANCE(Postgres, [](const std::string& directory, Env& env, Metrics& metrics) {
  static Databases databases;
  return postgres::OpenPostgresStore({.dsn = databases.DsnOf(directory), .writers = 4, .readers = 2}, env, metrics);
});

}  // namespace
}  // namespace seedcore::store
