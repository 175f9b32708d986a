#include "program.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <regex>

namespace seedcore::test {

Program::Program() {
  const char* path = std::getenv("PATH");
  options_.environment = {{"PATH", path == nullptr ? "/usr/bin:/bin" : path},
                          {"HOME", folder_.path().string()},
                          {"TMPDIR", folder_.path().string()},
                          {"LC_ALL", "C.UTF-8"}};
  options_.directory = folder_.path().string();
}

Outcome Program::Run(const std::vector<std::string>& arguments) const {
  return RunProcess(SEEDCORE_PROGRAM, arguments, options_);
}

Outcome Program::RunOnTerminal(const std::vector<std::string>& arguments) const {
  ProcessOptions options = options_;
  options.terminal = true;
  return RunProcess(SEEDCORE_PROGRAM, arguments, options);
}

json::value Program::Json(std::vector<std::string> arguments, int code) const {
  arguments.emplace_back("--json");
  const Outcome outcome = Run(arguments);
  EXPECT_EQ(outcome.code, code) << arguments.front() << ": " << outcome.err;
  auto document = ParseJson(outcome.out);
  EXPECT_TRUE(document) << arguments.front() << " --json prints: " << outcome.out;
  return document ? std::move(*document) : json::value();
}

std::unique_ptr<Process> Program::Start(const std::vector<std::string>& arguments) const {
  return std::make_unique<Process>(SEEDCORE_PROGRAM, arguments, options_);
}

std::filesystem::path Program::Write(const std::string& name, const std::string& text) const {
  const auto path = folder() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::vector<std::string> UpArguments(const std::filesystem::path& folder) {
  return {"up", "--data-dir", (folder / "data").string(), "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"};
}

Served::Served(const std::vector<std::string>& more, const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) program.Set(name, value);
  std::vector<std::string> arguments = UpArguments(program.folder());
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.emplace_back("--json");
  up_ = program.Start(arguments);
  const auto ready = ParseJson(up_->AwaitLine("\"ready\":true"));
  EXPECT_TRUE(ready) << "no ready line; standard error: " << up_->err();
  if (!ready) return;
  api_url_ = ready->at("api_url").as_string();
  program.Set("SEEDCORE_API", api_url_);
  program.Set("SERVE_GATEWAY", std::string(ready->at("services_url").as_string()));
}

Served::~Served() {
  up_->Signal(SIGTERM);
  up_->Wait();
}

std::unique_ptr<Process> StartUp(Program& program) {
  auto up = program.Start(UpArguments(program.folder()));
  const std::string ready = up->AwaitLine("ready");
  std::smatch match;
  EXPECT_TRUE(std::regex_search(ready, match, std::regex("api=(\\S+)"))) << up->err();
  program.Set("SEEDCORE_API", match[1]);
  return up;
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t Lines(const std::string& text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

}  // namespace seedcore::test
