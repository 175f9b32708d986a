#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "base/result.h"

/// Tools: named functions with typed arguments. `general_query` picks one from a question, `execute` runs one by name.
namespace seedcore::organism {

struct ToolOutput {
  std::string text;      ///< the answer in words
  json::value data;      ///< the same as data
  double quality = 1.0;  ///< [0, 1]; 1 for an exact computation or measurement, see each tool
  int mem_hits = 0;      ///< stored records used
};

struct Tool {
  std::string name;
  std::string doc;
  json::object arguments_schema;
  /// kInvalidArgument paths are relative to the arguments. Any thread, several at a time.
  std::function<Result<ToolOutput>(const json::object& arguments, const CallContext& call)> run;
};

/// Filled before use, then read-only: reading is thread-safe.
class ToolSet {
 public:
  /// kConflict when the name is taken.
  [[nodiscard]] Result<void> Add(Tool tool);
  /// kNonRetryable for an unknown name: names the known ones.
  [[nodiscard]] Result<const Tool*> Find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> Names() const;

 private:
  std::map<std::string, Tool, std::less<>> tools_;
};

}  // namespace seedcore::organism
