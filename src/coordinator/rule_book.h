#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/env.h"
#include "coordinator/rules.h"

namespace seedcore::coordinator {

/// The rules in force. Readers take a snapshot and keep it for as long as they like; a reload replaces the rules as a
/// whole, or not at all. Thread-safe.
class RuleBook {
 public:
  /// Begins with the built-in rules. `file` is read by Load(); empty: the built-in rules are all there is.
  explicit RuleBook(Env& env, std::filesystem::path file = {});

  /// Reads the file and puts its rules in force. On any error the rules before it stay, and the error is also in
  /// status().
  Result<void> Load();

  [[nodiscard]] std::shared_ptr<const RuleSet> Current() const;

  struct Status {
    std::uint64_t loads = 0;  ///< successful ones
    std::uint64_t failures = 0;
    std::optional<Error> last_error;  ///< of the last attempt; none when it went well
  };
  [[nodiscard]] Status status() const;
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  Env& env_;
  const std::filesystem::path file_;
  mutable std::mutex mutex_;  // guards everything below
  std::shared_ptr<const RuleSet> current_;
  Status status_;
};

/// Loads a rule book again when its file changes. Looks once a second; a book without a file is left alone.
class RuleWatcher {
 public:
  RuleWatcher(Env& env, RuleBook& book);

  /// One look. Returns whether the file had changed, and so was loaded (or refused). Not while Start() runs.
  bool Look();
  /// Looks from a thread of its own until destruction.
  void Start();

 private:
  struct Stamp {
    std::filesystem::file_time_type time;
    std::uintmax_t size = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  [[nodiscard]] std::optional<Stamp> StampNow() const;

  Env& env_;
  RuleBook& book_;
  std::optional<Stamp> seen_;
  std::jthread thread_;
};

}  // namespace seedcore::coordinator
