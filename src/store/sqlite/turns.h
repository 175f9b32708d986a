#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "store/sqlite/writer.h"

namespace seedcore::store::sqlite {

/// Gives turns (store/turn.h) to what one call submits: reads and writes each flow once, however many tasks it gets.
/// The triggers of the schema do the same for tasks that can run only later. On the writer's thread.
class Turns {
 public:
  explicit Turns(WriteContext& context) : context_(context) {}

  [[nodiscard]] Result<std::int64_t> Take(const std::string& type, const std::string& domain, int priority);
  /// Once, at the end.
  [[nodiscard]] Result<void> Store();

 private:
  using Flow = std::tuple<std::string, std::string, int>;

  WriteContext& context_;
  std::map<Flow, std::int64_t> last_;
};

/// Deletes rows of flows and clocks that no turn depends on any more (turn.h), kMostFlowsForgotten of each at most.
[[nodiscard]] Result<void> ForgetFlows(WriteContext& context);

}  // namespace seedcore::store::sqlite
