#include "organism/tool.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"

namespace seedcore::organism {

Result<void> ToolSet::Add(Tool tool) {
  if (tools_.contains(tool.name)) {
    return Fail(ErrorCode::kConflict, fmt::format("there is a tool called {} already", tool.name));
  }
  std::string name = tool.name;
  tools_.emplace(std::move(name), std::move(tool));
  return {};
}

Result<const Tool*> ToolSet::Find(std::string_view name) const {
  const auto found = tools_.find(name);
  if (found != tools_.end()) return &found->second;
  const auto names = Names();
  const auto nearest = NearestName(name, names);
  return Fail(
      ErrorCode::kNonRetryable,
      fmt::format("no tool called '{}'{}; tools: {}", name,
                  nearest ? fmt::format(", did you mean {}?", *nearest) : std::string(), fmt::join(names, ", ")));
}

std::vector<std::string_view> ToolSet::Names() const {
  std::vector<std::string_view> names;
  for (const auto& [name, tool] : tools_) names.push_back(name);
  return names;
}

}  // namespace seedcore::organism
