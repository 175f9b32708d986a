#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "base/json_schema.h"
#include "base/result.h"
#include "store/store.h"

/// Executors do the work of a task. One per task type, all in one registry; later rooms add theirs with Register.
namespace seedcore::organism {

/// A task as executors see it.
struct TaskSpec {
  std::string id;
  std::string type;
  std::string description;
  std::string domain;
  json::object params;
  int priority = 5;
  double drift_score = 0.0;
  double required_capability = 0.0;  ///< [0, 1]
  std::string agent_id;              ///< empty: whichever agent is best
  int attempt = 1;
  json::object evidence;  ///< what the coordinator measured; handed back to it as it is
};

/// How an execution ended. A failure always carries a typed error; whether the task is tried again follows from its
/// code.
struct ExecutionResult {
  bool success = false;
  json::value result;          ///< may be partial when it failed
  std::optional<Error> error;  ///< set exactly when !success
  double quality = 0.0;        ///< [0, 1]; each executor documents how it measures it; 0 when it failed
  int mem_hits = 0;            ///< stored records that were used
  store::Effects effects;      ///< written in the transaction that completes the task; ignored when it failed

  [[nodiscard]] static ExecutionResult Success(json::value result, double quality = 1.0, int mem_hits = 0);
  [[nodiscard]] static ExecutionResult Failure(Error error, json::value partial = nullptr);
};

/// Blocks until the work is done; must give up soon after the call's deadline or stop. Any thread, several at a time.
using ExecuteFunction = std::function<ExecutionResult(const TaskSpec& task, const CallContext& call)>;

struct Executor {
  std::string type;            ///< task type, lower case
  std::string doc;             ///< one or two sentences, with how quality is measured
  json::object params_schema;  ///< JSON Schema of params
  ExecuteFunction execute;
};

/// Runs it on the calling thread. What it throws, a call that nobody waits for any more, and a fault that Env injects
/// are failures.
[[nodiscard]] ExecutionResult RunExecutor(const Executor& executor, const TaskSpec& task, const CallContext& call,
                                          Env& env);

/// Thread-safe. What is registered stays.
class ExecutorRegistry {
 public:
  /// kConflict when the type has an executor already.
  [[nodiscard]] Result<void> Register(Executor executor);
  /// kNonRetryable for an unknown type: names the known ones, and the nearest first.
  [[nodiscard]] Result<std::shared_ptr<const Executor>> Find(std::string_view type) const;
  [[nodiscard]] bool Knows(std::string_view type) const;
  /// By type.
  [[nodiscard]] std::vector<std::shared_ptr<const Executor>> All() const;

 private:
  mutable std::mutex mutex_;  // guards executors_
  std::map<std::string, std::shared_ptr<const Executor>, std::less<>> executors_;
};

/// Parameters that belong to the handling of a task rather than to its executor: routing, limits, priority.
[[nodiscard]] bool IsHandlingParam(std::string_view name);

/// Reads the executor's own parameters. kInvalidArgument with the path ("params.limit").
template <class Params>
[[nodiscard]] Result<Params> ReadParams(const TaskSpec& task) {
  json::object own;
  for (const auto& member : task.params) {
    if (!IsHandlingParam(member.key())) own[member.key()] = member.value();
  }
  auto params = FromJson<Params>(own);
  if (!params) {
    Error error = std::move(params).error();
    error.path = error.path.empty() ? "params" : "params." + error.path;
    return std::unexpected(std::move(error));
  }
  return params;
}

/// JSON Schema of a parameter struct, complete in itself.
template <class Params>
[[nodiscard]] json::object ParamsSchema() {
  json::object definitions;
  (void)binding::Schema<Params>(definitions);
  return definitions[binding::TypeName<Params>()].get_object();
}

}  // namespace seedcore::organism
