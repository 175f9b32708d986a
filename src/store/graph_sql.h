#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "store/graph_store.h"

/// What the stores share about the statements of the graph.
namespace seedcore::store {

/// One text per kind of node or edge, made by `make` out of its table once: prepared statements go by the address of
/// their text. Each text needs a lambda of its own.
template <class Kind, class Make>
[[nodiscard]] const char* PerKind(Kind kind, Make make) {
  static_assert(std::is_empty_v<Make>, "a capture would be that of the first call for ever");
  static const std::vector<std::string> texts = [&make] {
    std::vector<std::string> made;
    for (const auto& [each, name] : EnumNames(Kind{})) made.push_back(make(TableOf(each)));
    return made;
  }();
  return texts[static_cast<std::size_t>(kind)].c_str();
}

/// The column of graph_node_map that names a node of this kind.
[[nodiscard]] inline std::string_view MapColumn(NodeKind kind) {
  return TableOf(kind).has_uuid ? "ext_uuid" : "ext_text_id";
}

}  // namespace seedcore::store
