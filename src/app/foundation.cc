#include "app/foundation.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "app/section_settings.h"

namespace seedcore::app {

namespace {

store::postgres::PostgresSettings WithRehearsals(store::postgres::PostgresSettings settings, FirstTasks first_tasks) {
  constexpr int kSubmitClaimAndEnd = 3;  // at a time
  if (first_tasks == FirstTasks::kAtOnce) settings.rehearsed = kSubmitClaimAndEnd;
  return settings;
}

}  // namespace

Result<std::unique_ptr<Foundation>> Foundation::Open(const settings::StoreSettings& settings, Env& env,
                                                     FirstTasks first_tasks) {
  auto foundation = std::make_unique<Foundation>(env);
  SEEDCORE_ASSIGN_OR_RETURN(foundation->data_dir, PrepareDataDir(settings.data_dir.string()));
  const bool is_postgres = !settings.pg_dsn.empty();
  SEEDCORE_ASSIGN_OR_RETURN(
      foundation->store,
      is_postgres ? store::postgres::OpenPostgresStore(WithRehearsals(PostgresSettingsFrom(settings), first_tasks), env,
                                                       foundation->metrics)
                  : store::sqlite::OpenSqliteStore(SqliteSettingsFrom(settings, foundation->data_dir), env,
                                                   foundation->metrics));
  foundation->store_is_shared = is_postgres || settings.shared;
  foundation->store_hears_others = is_postgres;
  foundation->host = std::make_unique<state::HostSampler>(env, foundation->data_dir);
  return foundation;
}

void Foundation::FeedEvents() {
  queue::EventFeedSettings settings;
  constexpr std::chrono::milliseconds kLookForOthers{500};
  if (store_is_shared && !store_hears_others) settings.poll = kLookForOthers;
  events = std::make_unique<queue::EventFeed>(env, store->tasks(), metrics, settings);
}

Result<std::string> PrepareDataDir(const std::string& data_dir) {
  std::string path = data_dir;
  if (path.starts_with("~")) {
    const char* home = std::getenv("HOME");
    if (home == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "HOME is not set; name a directory with --data-dir", "store.data_dir");
    }
    path = home + path.substr(1);
  }
  std::error_code error;
  const bool created = std::filesystem::create_directories(path, error);
  if (error) {
    return Fail(ErrorCode::kUnavailable, fmt::format("cannot create the data directory {}: {}", path, error.message()),
                "store.data_dir");
  }
  if (created) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  return path;
}

}  // namespace seedcore::app
