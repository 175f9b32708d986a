#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace seedcore::test {

/// A layer between SQLite and the file system that remembers what has been synced and what has only been written, so
/// that it can tell at any moment what a machine would find after losing power; and that fails on request. One per
/// process, in front of the default VFS from Install on. Thread-safe.
class Disk {
 public:
  static Disk& Install();

  /// Database and write-ahead log below this folder are watched; other files pass through.
  void Watch(const std::string& folder);

  /// Writes what is left when the power fails now into `folder`: all that was synced, and of the rest any part, in any
  /// order, torn at any sector.
  void CutPower(const std::string& folder, std::mt19937_64& random);

  /// The share of calls that fail.
  struct Faults {
    double write = 0.0;  ///< an I/O error, or half the time "disk full"
    double sync = 0.0;
    double lock = 0.0;  ///< busy
  };
  void Fail(Faults faults);
  [[nodiscard]] std::int64_t failures() const;

  // For the functions that SQLite calls.
  struct Change {
    std::int64_t offset = 0;
    std::vector<char> bytes;
    bool truncates = false;  ///< to `offset`
  };
  struct File {
    std::vector<char> durable;    ///< as of the last sync
    std::vector<Change> changes;  ///< since then
  };
  std::shared_ptr<File> Open(const char* path);
  void Forget(const char* path);
  void Note(File& file, Change change);
  void Synced(File& file);
  enum class Call { kWrite, kSync, kLock };
  /// Whether this call is to fail.
  bool Fails(Call call);

 private:
  mutable std::mutex mutex_;  // guards everything below
  std::string folder_;
  std::map<std::string, std::shared_ptr<File>> files_;
  Faults faults_;
  std::int64_t failures_ = 0;
  std::mt19937_64 random_{1};
};

}  // namespace seedcore::test
