#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/result.h"

/// The rules by which tasks are routed (the rule file of the Coordinator), as everyone who shares a store has them:
/// versions, of which the newest holds. The store does not read them.
namespace seedcore::store {

inline constexpr std::size_t kMaxRuleText = 256 * 1024;  ///< bytes
inline constexpr std::size_t kMaxRuleNote = 1000;        ///< bytes
inline constexpr int kKeptRuleVersions = 100;            ///< older ones are forgotten

struct NewRules {
  std::optional<std::string> text;  ///< none withdraws the rules: each process goes back to its own
  std::string note;                 ///< why, for those who read the versions later
};
struct RuleVersion {
  std::int64_t version = 0;         ///< from 1, one by one
  std::optional<std::string> text;  ///< none: withdrawn
  std::string note;
  WallTime created_at;

  friend bool operator==(const RuleVersion&, const RuleVersion&) = default;
};

/// Thread-safe; every method is one transaction, durable on return.
class RuleStore {
 public:
  virtual ~RuleStore() = default;

  /// Puts a new version in force. What the newest version says already makes no other one and is returned, so that a
  /// repeated call does no harm. kConflict: `expected` is given and the newest version is another (0: there is none).
  /// kInvalidArgument names the field.
  [[nodiscard]] virtual Result<RuleVersion> PutRules(const NewRules& rules, std::optional<std::int64_t> expected) = 0;
  /// The newest version, unless that is `known`, or there is none. One look-up: for those who ask every second.
  [[nodiscard]] virtual Result<std::optional<RuleVersion>> NewestRules(std::int64_t known) = 0;
  /// kNotFound.
  [[nodiscard]] virtual Result<RuleVersion> GetRules(std::int64_t version) = 0;
  /// All that are kept, newest first.
  [[nodiscard]] virtual Result<std::vector<RuleVersion>> RuleVersions() = 0;
};

/// kInvalidArgument names the field: `text` or `note`.
[[nodiscard]] Result<void> CheckRules(const NewRules& rules);

/// The error of a PutRules that expected another version than the newest.
[[nodiscard]] Error UnexpectedRules(std::int64_t expected, std::int64_t newest);
/// The error of a GetRules.
[[nodiscard]] Error NoSuchRules(std::int64_t version);

}  // namespace seedcore::store
