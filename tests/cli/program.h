#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/testing.h"
#include "support/process.h"

/// The real `seedcore` program.
namespace seedcore::test {

/// A home directory of its own, and the program run in it.
class Program {
 public:
  Program();

  /// More environment variables, for every run from now on.
  void Set(const std::string& name, const std::string& value) { options_.environment[name] = value; }
  [[nodiscard]] Outcome Run(const std::vector<std::string>& arguments) const;
  [[nodiscard]] Outcome RunOnTerminal(const std::vector<std::string>& arguments) const;
  /// Runs with --json, expects this exit code and one JSON document, and returns it.
  json::value Json(std::vector<std::string> arguments, int code = 0) const;
  [[nodiscard]] std::unique_ptr<Process> Start(const std::vector<std::string>& arguments) const;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] const ProcessOptions& options() const { return options_; }
  std::filesystem::path Write(const std::string& name, const std::string& text) const;

 private:
  TemporaryFolder folder_;
  ProcessOptions options_;
};

/// `seedcore up` on free ports, and a program that knows where it is.
class Served {
 public:
  explicit Served(const std::vector<std::string>& more = {},
                  const std::map<std::string, std::string>& environment = {});
  ~Served();

  Program program;
  [[nodiscard]] Process& up() { return *up_; }
  [[nodiscard]] const std::string& api_url() const { return api_url_; }

 private:
  std::unique_ptr<Process> up_;
  std::string api_url_;
};

/// Starts `up` on the data of `program` and tells the program where its task API is.
[[nodiscard]] std::unique_ptr<Process> StartUp(Program& program);

/// Arguments for `up` on free ports with data in `folder`.
[[nodiscard]] std::vector<std::string> UpArguments(const std::filesystem::path& folder);

[[nodiscard]] bool Contains(const std::string& text, const std::string& part);
[[nodiscard]] std::size_t Lines(const std::string& text);

}  // namespace seedcore::test
