#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "cli/command.h"
#include "settings/catalog.h"
#include "settings/settings.h"

/// A running platform as the client commands see it.
namespace seedcore::cli {

enum class Target {
  kTasks,     ///< the task API, client.api_url
  kServices,  ///< the six services, client.services_url
};

class Api {
 public:
  explicit Api(settings::ClientSettings settings);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  [[nodiscard]] Result<json::value> Get(const std::string& path, Target target = Target::kTasks);
  /// `idempotency_key` makes the call safe to repeat, so that it is repeated when the connection breaks.
  [[nodiscard]] Result<json::value> Post(const std::string& path, const json::value& body,
                                         const std::string& idempotency_key = "", Target target = Target::kTasks);
  [[nodiscard]] Result<json::value> Put(const std::string& path, const json::value& body,
                                        Target target = Target::kTasks);
  [[nodiscard]] Result<json::value> Delete(const std::string& path, Target target = Target::kTasks);
  /// The body also of an error status; for health checks, whose 503 carries the report.
  [[nodiscard]] Result<json::value> GetAnyStatus(const std::string& path, Target target);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Resolves the settings of a command out of its flags, the environment and --config, and prints warnings.
[[nodiscard]] Result<settings::Settings> LoadSettings(const Arguments& arguments);
/// Prints "seedcore: ..." on standard error and says what to exit with.
int ReportError(const Error& error);
/// Prints a JSON document, indented on a terminal.
void PrintJson(const json::value& value);

/// The text member `key` of an object, or `fallback` when it is absent, null or no string.
[[nodiscard]] std::string TextOf(const json::value& object, std::string_view key, std::string fallback = "");

}  // namespace seedcore::cli
