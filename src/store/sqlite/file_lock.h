#pragma once

#include <string>

#include "base/result.h"

namespace seedcore::store::sqlite {

/// An exclusive lock on a side file, held until destruction or the end of the process, however that comes. The file
/// holds the process id of the holder and stays behind, unlocked.
class FileLock {
 public:
  /// kUnavailable: another process holds it (its id is named), or the file cannot be created.
  [[nodiscard]] static Result<FileLock> Acquire(const std::string& path);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace seedcore::store::sqlite
