#include "cli/command.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "settings/catalog.h"

namespace seedcore::cli {
namespace {

std::vector<std::string> OptionWords(const Command& command) {
  std::vector<std::string> words;
  for (const Option& option : command.options) {
    if (!option.IsPositional()) words.push_back(option.name);
    words.insert(words.end(), option.choices.begin(), option.choices.end());
  }
  for (const Option& option : SettingOptions(command.settings)) words.push_back(option.name);
  return words;
}

std::vector<const Command*> InGroup(std::string_view group) {
  std::vector<const Command*> found;
  for (const Command& command : Commands()) {
    if (command.Group() == group) found.push_back(&command);
  }
  return found;
}

/// `one` for each command outside of a group, `many` for each group.
template <class One, class Many>
std::string ForEachWord(One one, Many many) {
  std::string text;
  for (const Command* command : InGroup("")) text += one(*command);
  for (const std::string& word : FirstWords()) {
    if (const auto group = InGroup(word); !group.empty()) text += many(word, group);
  }
  return text;
}

std::string BashScript() {
  const auto one = [](const Command& command) {
    return fmt::format("    {}) words=\"{}\" ;;\n", command.Verb(), fmt::join(OptionWords(command), " "));
  };
  const auto many = [&](const std::string& name, const std::vector<const Command*>& group) {
    std::string cases;
    std::vector<std::string> verbs;
    for (const Command* command : group) {
      verbs.push_back(command->Verb());
      cases += "  " + one(*command);
    }
    return fmt::format(
        "    {}) words=\"{}\"\n    if [ \"$COMP_CWORD\" -gt 2 ]; then\n      case \"${{COMP_WORDS[2]}}\" in\n{}      "
        "esac\n    fi ;;\n",
        name, fmt::join(verbs, " "), cases);
  };
  return fmt::format(
      "_seedcore() {{\n  local words=\"{}\"\n  if [ \"$COMP_CWORD\" -gt 1 ]; then\n    case \"${{COMP_WORDS[1]}}\" "
      "in\n{}"
      "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\n"
      "complete -o default -F _seedcore seedcore\n",
      fmt::join(FirstWords(), " "), ForEachWord(one, many));
}

/// 'word:what it does', as _describe takes it.
std::string ZshDescribed(std::string_view word, std::string_view summary) {
  std::string text;
  for (const char c : summary) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return fmt::format("'{}:{}'", word, text);
}

std::string ZshScript() {
  std::string commands;
  for (const std::string& word : FirstWords()) {
    const auto group = InGroup(word);
    const auto command = std::ranges::find(Commands(), word, &Command::name);
    const std::string_view summary = group.empty() ? std::string_view(command->summary) : GroupSummary(word);
    commands += "    " + ZshDescribed(word, summary) + "\n";
  }
  const auto one = [](const Command& command) {
    return fmt::format("    {}) compadd -- {} ;;\n", command.Verb(), fmt::join(OptionWords(command), " "));
  };
  const auto many = [&](const std::string& name, const std::vector<const Command*>& group) {
    std::string verbs, cases;
    for (const Command* command : group) {
      verbs += ZshDescribed(command->Verb(), command->summary) + " ";
      cases += "  " + one(*command);
    }
    return fmt::format(
        "    {}) if (( CURRENT == 3 )); then\n      commands=({})\n      _describe command commands\n      return\n    "
        "fi\n"
        "    case $words[3] in\n{}    esac ;;\n",
        name, verbs, cases);
  };
  return fmt::format(
      "#compdef seedcore\n_seedcore() {{\n  local -a commands=(\n{}  )\n  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n    return\n  fi\n  case $words[2] in\n{}  esac\n}}\ncompdef _seedcore "
      "seedcore\n",
      commands, ForEachWord(one, many));
}

}  // namespace

std::vector<std::string> FirstWords() {
  std::vector<std::string> words;
  for (const Command& command : Commands()) {
    std::string word(command.Group().empty() ? command.name : command.Group());
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

std::string_view Command::Group() const {
  const std::size_t space = name.find(' ');
  return space == std::string::npos ? std::string_view() : std::string_view(name).substr(0, space);
}

std::string Command::Verb() const {
  const std::size_t space = name.find(' ');
  return space == std::string::npos ? name : name.substr(space + 1);
}

std::string Arguments::Get(const std::string& name, std::string fallback) const {
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second.back();
  return fallback;
}

std::vector<std::string> Arguments::All(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

namespace {

/// Nothing unless the whole of `text` is the number.
template <class Number>
std::optional<Number> ToNumber(const std::string& text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<int> Arguments::Number(const std::string& name, int fallback) const {
  if (!Has(name)) return fallback;
  const std::string text = Get(name);
  if (const auto value = ToNumber<int>(text)) return *value;
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected a whole number, got '{}'", text), "--" + name);
}

Result<double> Arguments::Seconds(const std::string& name, double fallback) const {
  if (!Has(name)) return fallback;
  const std::string text = Get(name);
  if (const auto value = ToNumber<double>(text)) return *value;
  return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a number of seconds", text), "--" + name);
}

std::vector<Option> SettingOptions(SettingFlags which) {
  if (which == SettingFlags::kNone) return {};
  std::vector<Option> options{{.name = "--config", .help = "YAML file with settings"}};
  for (const settings::Setting& setting : settings::Catalog()) {
    if (setting.flag.empty()) continue;
    if (which == SettingFlags::kClient && !setting.name.starts_with("client.")) continue;
    options.push_back(
        {.name = "--" + setting.flag, .help = std::string(setting.meaning), .is_flag = setting.type == "bool"});
  }
  return options;
}

Result<std::string> CompletionScript(std::string_view shell) {
  if (shell == "bash") return BashScript();
  if (shell == "zsh") return ZshScript();
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected bash or zsh, got '{}'", shell), "SHELL");
}

}  // namespace seedcore::cli
