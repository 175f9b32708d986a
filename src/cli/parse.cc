#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/strings.h"
#include "cli/command.h"

namespace seedcore::cli {
namespace {

constexpr const char* kDescription =
    "SeedCore: tasks in, durable, routed, executed, accounted for.\n"
    "Exit codes: 0 done, 1 the work failed, 2 usage or settings, 3 not found, 4 no server, 5 timeout, 6 refused.";

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

Parsed UnknownCommand(std::string_view name, const std::vector<std::string>& words) {
  const std::vector<std::string_view> known(words.begin(), words.end());
  const auto nearest = NearestName(name, known);
  Parsed parsed;
  parsed.text = fmt::format("seedcore: there is no command '{}'{}. `seedcore --help` lists them\n", name,
                            nearest ? fmt::format("; did you mean '{}'", *nearest) : "");
  parsed.exit_code = kExitUsage;
  return parsed;
}

}  // namespace

Parsed Parse(int argc, const char* const* argv) {
  // CLI11 would only say that a subcommand is required.
  const std::vector<std::string> words = FirstWords();
  if (argc > 1 && argv[1][0] != '-' && argv[1][0] != '\0' && std::ranges::find(words, argv[1]) == words.end()) {
    return UnknownCommand(argv[1], words);
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
    // CLI11 throws for --help as well; its exit() tells the two apart and writes what a person should read.
    std::ostringstream out, problem;
    const int code = app.exit(error, out, problem);
    parsed.text = code == 0 ? out.str() : problem.str();
    parsed.exit_code = code == 0 ? kExitOk : kExitUsage;
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
