#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// The command line without a parser: what each subcommand takes, declared as data, so that help, parsing and shell
/// completion come from one place.
namespace seedcore::cli {

/// What the process exits with. Scripts may rely on these.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       ///< the work was done and failed: a task failed, a check is unhealthy
  kExitUsage = 2,        ///< the command line or a setting is wrong
  kExitNotFound = 3,     ///< the thing named does not exist, or its short id is ambiguous
  kExitUnreachable = 4,  ///< no server answered, or the store cannot be reached
  kExitTimeout = 5,      ///< the time allowed with --timeout ran out
  kExitRefused = 6,      ///< the server refused: no token, conflict, too much
};

struct Option {
  std::string name;  ///< "--json", or "ID" for a positional argument
  std::string help;
  bool is_flag = false;  ///< takes no value
  bool required = false;
  bool repeated = false;             ///< may be given several times; a positional takes all that is left
  std::vector<std::string> choices;  ///< allowed values; empty: any
  [[nodiscard]] bool IsPositional() const { return !name.starts_with('-'); }
};

/// What was given, by option name without dashes.
class Arguments {
 public:
  void Add(const std::string& name, std::string value) { values_[name].push_back(std::move(value)); }
  [[nodiscard]] bool Has(const std::string& name) const { return values_.contains(name); }
  [[nodiscard]] std::string Get(const std::string& name, std::string fallback = "") const;
  [[nodiscard]] std::vector<std::string> All(const std::string& name) const;
  /// The whole number given, or `fallback`. kInvalidArgument names the option.
  [[nodiscard]] Result<int> Number(const std::string& name, int fallback) const;
  /// The number of seconds given, or `fallback`. kInvalidArgument names the option.
  [[nodiscard]] Result<double> Seconds(const std::string& name, double fallback) const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

/// Which settings have a flag on a subcommand, next to --config.
enum class SettingFlags { kNone, kClient, kAll };
[[nodiscard]] std::vector<Option> SettingOptions(SettingFlags which);

struct Command {
  std::string name;  ///< "submit", or a group and a verb: "ray plan"
  std::string summary;
  std::vector<Option> options;
  SettingFlags settings = SettingFlags::kNone;
  int (*run)(const Arguments& arguments) = nullptr;

  /// "ray" of "ray plan"; empty when the command is in no group.
  [[nodiscard]] std::string_view Group() const;
  /// "plan" of "ray plan"; the whole name when the command is in no group.
  [[nodiscard]] std::string Verb() const;
};

/// Every subcommand, in the order of the help text.
[[nodiscard]] const std::vector<Command>& Commands();

/// What may stand first on the command line, each word once: commands and groups.
[[nodiscard]] std::vector<std::string> FirstWords();

/// One line about a group of subcommands.
[[nodiscard]] std::string_view GroupSummary(std::string_view group);

/// What parsing came to: a command to run, or a text to print and a code to exit with.
struct Parsed {
  const Command* command = nullptr;
  Arguments arguments;
  std::string text;
  int exit_code = kExitOk;
};
[[nodiscard]] Parsed Parse(int argc, const char* const* argv);

/// A completion script for "bash" or "zsh".
[[nodiscard]] Result<std::string> CompletionScript(std::string_view shell);

}  // namespace seedcore::cli
