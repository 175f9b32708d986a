#include "cli/command.h"

#include <charconv>

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

std::string BashScript() {
  std::string cases;
  std::vector<std::string> names;
  for (const Command& command : Commands()) {
    names.push_back(command.name);
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command.name, fmt::join(OptionWords(command), " "));
  }
  return fmt::format(
      "_seedcore() {{\n  local words=\"{}\"\n  if [ \"$COMP_CWORD\" -gt 1 ]; then\n    case \"${{COMP_WORDS[1]}}\" "
      "in\n{}"
      "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\n"
      "complete -o default -F _seedcore seedcore\n",
      fmt::join(names, " "), cases);
}

std::string ZshScript() {
  std::string commands, cases;
  for (const Command& command : Commands()) {
    commands += fmt::format("    '{}:{}'\n", command.name, command.summary);
    cases += fmt::format("    {}) compadd -- {} ;;\n", command.name, fmt::join(OptionWords(command), " "));
  }
  return fmt::format(
      "#compdef seedcore\n_seedcore() {{\n  local -a commands=(\n{}  )\n  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n    return\n  fi\n  case $words[2] in\n{}  esac\n}}\ncompdef _seedcore "
      "seedcore\n",
      commands, cases);
}

}  // namespace

std::string Arguments::Get(const std::string& name, std::string fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::move(fallback) : found->second.back();
}

std::vector<std::string> Arguments::All(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Result<int> Arguments::Number(const std::string& name, int fallback) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return fallback;
  const std::string& text = found->second.back();
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return value;
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected a whole number, got '{}'", text), "--" + name);
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
