#include "store/sqlite/file_header.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace seedcore::store::sqlite {

Result<void> CheckHeader(const std::string& path) {
  constexpr char kMagic[] = "SQLite format 3";
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error || size == 0) return {};
  std::array<char, 100> header{};
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return Fail(ErrorCode::kUnavailable, "the database file cannot be read", path);
  file.read(header.data(), header.size());
  if (file.gcount() < static_cast<std::streamsize>(header.size()) ||
      std::memcmp(header.data(), kMagic, sizeof kMagic) != 0) {
    return Fail(ErrorCode::kCorrupt, "the file is not a database, or its header is damaged", path);
  }
  return {};
}

}  // namespace seedcore::store::sqlite
