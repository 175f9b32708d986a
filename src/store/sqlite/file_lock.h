#pragma once

#include <chrono>
#include <string>

#include "base/env.h"
#include "base/result.h"

namespace seedcore::store::sqlite {

/// A lock on a side file, held until destruction or the end of the process, however that comes. The file holds the
/// process id of the last one that took it and stays behind, unlocked.
class FileLock {
 public:
  enum class Mode {
    kExclusive,  ///< nobody else
    kShared,     ///< others that share it, but nobody who wants it alone
  };

  /// kUnavailable: another process holds it in a way that rules this out (its id is named), the file cannot be
  /// created, or the one who had it has just removed it.
  [[nodiscard]] static Result<FileLock> Acquire(const std::string& path, Mode mode);
  /// Waits for an exclusive lock that others hold only briefly; kUnavailable after `patience`.
  [[nodiscard]] static Result<FileLock> AcquireWithin(const std::string& path, std::chrono::milliseconds patience,
                                                      Env& env);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] static Result<FileLock> Open(const std::string& path);
  void WriteHolder() const;

  int descriptor_;
};

}  // namespace seedcore::store::sqlite
