#pragma once

#include <string>
#include <vector>

#include "organism/executor.h"
#include "settings/settings.h"

namespace seedcore::app {

/// Who executes which type of task. Without external types the dispatcher claims everything, and a type without an
/// executor fails with the list of known ones. With external types it claims the types that have an executor and are
/// not external; a type that is neither is refused at submission, because nobody would ever claim it.
class ExternalTypes {
 public:
  /// `types`: as TypesLeftToOthers. `executors` must outlive it.
  ExternalTypes(const std::vector<std::string>& types, const organism::ExecutorRegistry& executors);

  /// What the dispatcher claims; empty: every type.
  [[nodiscard]] std::vector<std::string> Embedded() const;
  /// kInvalidArgument when nobody would execute a task of this type, or when it is a workflow for the dispatcher that
  /// makes no sense or has a step without an executor: workers outside take tasks, not steps.
  [[nodiscard]] Result<void> Check(const std::string& type, const json::object& params) const;

 private:
  [[nodiscard]] Result<void> CheckStep(const std::string& type) const;
  [[nodiscard]] bool IsExternal(const std::string& type) const;

  std::vector<std::string> types_;
  bool all_others_ = false;  ///< every type without an executor is external
  const organism::ExecutorRegistry& executors_;
};

/// Types that this process leaves to others: queue.external_types, and the graph tasks with graph.dispatch_elsewhere.
[[nodiscard]] std::vector<std::string> TypesLeftToOthers(const settings::Settings& settings);

}  // namespace seedcore::app
