#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/env.h"
#include "coordinator/rules.h"

namespace seedcore::coordinator {

/// Rules that several processes have in common, as the store keeps them.
struct SharedRules {
  std::int64_t version = 0;         ///< 0: there have never been any
  std::optional<std::string> text;  ///< none: they were withdrawn
};

/// Where rules come from. Those that are shared go before the file, and the file before the built-in ones.
struct RuleSources {
  /// The newest shared rules, unless their version is `known` or there are none; an error when that can't be said now.
  /// May be empty: nothing is shared.
  std::function<Result<std::optional<SharedRules>>(std::int64_t known)> shared{};
  std::filesystem::path file{};  ///< empty: none
};

/// The rules in force. Readers take a snapshot and keep it for as long as they like; a load replaces the rules as a
/// whole, or not at all. Thread-safe.
class RuleBook {
 public:
  /// Begins with the built-in rules, until something is loaded.
  explicit RuleBook(Env& env, RuleSources sources = {});

  /// Puts in force what the sources say now. On any error the rules before it stay, and the error is also in status().
  Result<void> Load();
  /// The same if there are shared rules that this book has not seen. Returns whether there were.
  Result<bool> LoadShared();
  /// The same unless shared rules are in force, for when the file has changed. Returns whether they are not.
  Result<bool> LoadOwn();

  [[nodiscard]] std::shared_ptr<const RuleSet> Current() const;
  /// What the shared rules would give way to: reads the file, and puts nothing in force.
  [[nodiscard]] Result<RuleSet> ReadOwn() const;

  struct Status {
    std::uint64_t loads = 0;  ///< successful ones
    std::uint64_t failures = 0;
    std::optional<Error> last_error;    ///< of the last load; none when it went well
    std::optional<Error> shared_error;  ///< why it is not known now whether there are newer shared rules
  };
  [[nodiscard]] Status status() const;
  [[nodiscard]] const std::filesystem::path& file() const { return sources_.file; }
  [[nodiscard]] bool is_shared() const { return static_cast<bool>(sources_.shared); }

 private:
  Result<bool> Fetch();
  Result<void> PutInForce();
  Result<RuleSet> Read() const;

  Env& env_;
  const RuleSources sources_;
  std::mutex loading_;  // one load at a time, so that an older one does not overtake a newer; taken before mutex_
  SharedRules seen_;    // guarded by loading_

  mutable std::mutex mutex_;  // guards everything below
  std::shared_ptr<const RuleSet> current_;
  Status status_;
};

/// Loads a rule book again when the shared rules or its file change. Looks once a second.
class RuleWatcher {
 public:
  RuleWatcher(Env& env, RuleBook& book);

  /// One look. Returns whether something had changed, and so was loaded (or refused). Not while Start() runs.
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
