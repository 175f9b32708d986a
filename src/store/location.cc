#include "store/location.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <regex>
#include <string_view>
#include <utility>

#include "store/postgres/tables.h"
#include "store/sqlite/tables.h"

namespace seedcore::store {
namespace {

/// What is not there yet is a folder, as `up` makes one, unless it is named like a file.
bool IsFolder(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return std::filesystem::is_directory(path, error);
  constexpr std::array<std::string_view, 3> kFiles = {".db", ".sqlite", ".sqlite3"};
  return std::ranges::find(kFiles, path.extension().string()) == kFiles.end();
}

std::string FileOf(const std::string& place) {
  std::error_code error;
  const std::filesystem::path path(place);
  const auto absolute = std::filesystem::absolute(IsFolder(path) ? path / kStoreFile : path, error);
  return absolute.lexically_normal().string();
}

/// A misspelled connection string is no file that could be made.
Result<void> CheckPath(const std::string& place) {
  static const std::regex kScheme(R"([A-Za-z][A-Za-z0-9+.-]*:/[^]*)");
  std::error_code error;
  if (!std::regex_match(place, kScheme) || std::filesystem::exists(place, error)) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "neither the path of a store nor a connection string, which begins with postgresql://");
}

}  // namespace

bool IsDsn(const std::string& text) {
  if (text.starts_with("postgresql://") || text.starts_with("postgres://")) return true;
  static const std::regex kKeyword(R"(\s*[a-z_]+\s*=.*)");
  std::error_code error;
  return std::regex_match(text, kKeyword) && !std::filesystem::exists(text, error);
}

Result<std::unique_ptr<Tables>> OpenTables(const std::string& place, TablesUse use, Env& env) {
  if (IsDsn(place)) return postgres::OpenTables({.dsn = place}, use, env);
  SEEDCORE_RETURN_IF_ERROR(CheckPath(place));
  return sqlite::OpenTables({.path = FileOf(place)}, use, env);
}

Result<MigrateReport> MigrateStore(const std::string& place, Env& env) {
  if (IsDsn(place)) {
    SEEDCORE_ASSIGN_OR_RETURN(auto migrated, postgres::MigrateDatabase({.dsn = place}, env));
    return MigrateReport{std::move(migrated.place), migrated.from, migrated.to, std::move(migrated.notes)};
  }
  SEEDCORE_RETURN_IF_ERROR(CheckPath(place));
  const std::string path = FileOf(place);
  SEEDCORE_ASSIGN_OR_RETURN(const auto migrated, sqlite::MigrateFile(path, env));
  return MigrateReport{path, migrated.from, migrated.to, {}};
}

}  // namespace seedcore::store
