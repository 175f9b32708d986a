#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/strings.h"
#include "cli/command.h"

namespace seedcore::cli {
namespace {

constexpr const char* kDescription =
    "SeedCore: tasks in, durable, routed, executed, accounted for.\n"
    "Exit codes: 0 done, 1 the work failed, 2 usage or settings, 3 not found, 4 no server or no store, 5 timeout, 6 "
    "refused.";

/// Options of one subcommand as CLI11 fills them. A deque: CLI11 keeps pointers to the elements.
struct Slots {
  std::deque<std::pair<std::string, std::vector<std::string>>> values;
  std::deque<std::pair<std::string, bool>> flags;
};

std::string PlainName(const std::string& name) {
  const std::size_t start = name.find_first_not_of('-');
  return name.substr(start == std::string::npos ? 0 : start);
}

void AddOption(CLI::App& app, const Option& option, Slots& slots) {
  if (option.is_flag) {
    auto& [name, value] = slots.flags.emplace_back(PlainName(option.name), false);
    app.add_flag(option.name, value, option.help);
    return;
  }
  auto& [name, values] = slots.values.emplace_back(PlainName(option.name), std::vector<std::string>{});
  CLI::Option* added = app.add_option(option.name, values, option.help);
  if (!option.IsPositional() || !option.repeated) {
    // One value at a time: otherwise the first positional, or an option in front of one, takes all the words that
    // follow.
    added->expected(1)->allow_extra_args(false);
  }
  // A flag given twice: the last one counts. On a positional the policy would swallow every word that follows.
  if (!option.IsPositional()) {
    added->multi_option_policy(option.repeated ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
  }
  if (!option.choices.empty()) added->check(CLI::IsMember(option.choices));
  added->required(option.required);
}

/// The application a command is a subcommand of: the program itself, or the command's group.
CLI::App& Parent(CLI::App& app, std::map<std::string, CLI::App*, std::less<>>& groups, const Command& command) {
  if (command.Group().empty()) return app;
  CLI::App*& group = groups[std::string(command.Group())];
  if (group == nullptr) {
    group = app.add_subcommand(std::string(command.Group()), std::string(GroupSummary(command.Group())));
    group->require_subcommand(1);
  }
  return *group;
}

Arguments Collect(const Slots& slots) {
  Arguments arguments;
  for (const auto& [name, values] : slots.values) {
    for (const std::string& value : values) arguments.Add(name, value);
  }
  for (const auto& [name, given] : slots.flags) {
    if (given) arguments.Add(name, "true");
  }
  return arguments;
}

/// The words that may come first; behind a group, its verbs.
std::vector<std::string> KnownWords(std::string_view group) {
  if (group.empty()) return FirstWords();
  std::vector<std::string> verbs;
  for (const Command& command : Commands()) {
    if (command.Group() == group) verbs.push_back(command.Verb());
  }
  return verbs;
}

/// What to say when `word` is none of the words that may stand behind `group`; nullopt when it is one, or an option.
std::optional<Parsed> RefuseUnknown(std::string_view group, std::string_view word) {
  if (word.empty() || word.front() == '-') return std::nullopt;
  const std::vector<std::string> words = KnownWords(group);
  if (words.empty() || std::ranges::find(words, word) != words.end()) return std::nullopt;
  const auto nearest = NearestName(word, std::vector<std::string_view>(words.begin(), words.end()));
  const std::string before = group.empty() ? std::string() : std::string(group) + " ";
  Parsed parsed;
  parsed.text = fmt::format("seedcore: there is no command '{}{}'{}. `seedcore {}--help` lists them\n", before, word,
                            nearest ? fmt::format("; did you mean '{}{}'", before, *nearest) : "", before);
  parsed.exit_code = kExitUsage;
  return parsed;
}

/// The one line about arguments that do not fit, with the command whose help says more.
std::string Refusal(const CLI::App& app, const CLI::Error& error) {
  std::string command = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  const std::string reason = error.what();
  return fmt::format("seedcore: {}. `{} --help` says more\n", reason.substr(0, reason.find('\n')), command);
}

}  // namespace

Parsed Parse(int argc, const char* const* argv) {
  // CLI11 would only say that a subcommand is required.
  if (argc > 1) {
    if (auto refused = RefuseUnknown("", argv[1])) return std::move(*refused);
  }
  if (argc > 2 && !GroupSummary(argv[1]).empty()) {
    if (auto refused = RefuseUnknown(argv[1], argv[2])) return std::move(*refused);
  }
  CLI::App app(kDescription, "seedcore");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every subcommand");
  std::deque<Slots> slots;
  std::vector<CLI::App*> apps;
  std::map<std::string, CLI::App*, std::less<>> groups;
  for (const Command& command : Commands()) {
    CLI::App* sub = Parent(app, groups, command).add_subcommand(command.Verb(), command.summary);
    Slots& own = slots.emplace_back();
    for (const Option& option : command.options) AddOption(*sub, option, own);
    for (const Option& option : SettingOptions(command.settings)) AddOption(*sub, option, own);
    apps.push_back(sub);
  }
  Parsed parsed;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 throws for --help as well; its exit() tells the two apart and writes the help.
    std::ostringstream out, ignored;
    const bool is_help = app.exit(error, out, ignored) == 0;
    parsed.text = is_help ? out.str() : Refusal(app, error);
    parsed.exit_code = is_help ? kExitOk : kExitUsage;
    return parsed;
  }
  for (std::size_t i = 0; i < apps.size(); ++i) {
    if (!apps[i]->parsed()) continue;
    parsed.command = &Commands()[i];
    parsed.arguments = Collect(slots[i]);
  }
  return parsed;
}

}  // namespace seedcore::cli
