#include "ray/client/pickle_reader.h"

#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace seedcore::ray {
namespace {

using Kind = PickleNode::Kind;

/// Turns the graph into a tree. Values that are referred to often are copied, so both their number and their bytes are
/// counted again: a small pickle can describe a huge tree.
class TreeBuilder {
 public:
  TreeBuilder(const PickleGraph& graph, const PickleLimits& limits) : graph_(graph), limits_(limits) {}

  Result<PyValue> Build(PickleId id, std::size_t depth) {
    if (depth > kMaxPyDepth) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("pickle: nested deeper than {} levels, or a value that contains itself", kMaxPyDepth));
    }
    const PickleNode& node = graph_[id];
    SEEDCORE_RETURN_IF_ERROR(Count(node.text.size()));
    switch (node.kind) {
      case Kind::kNone: return PyValue{};
      case Kind::kBool: return PyValue{node.number != 0};
      case Kind::kInt: return PyValue{node.number};
      case Kind::kUint: return PyValue{static_cast<std::uint64_t>(node.number)};
      case Kind::kFloat: return PyValue{node.real};
      case Kind::kText: return PyValue{node.text};
      case Kind::kBytes: return PyValue{PyValue::Bytes{node.text}};
      case Kind::kList: {
        SEEDCORE_ASSIGN_OR_RETURN(PyValue::List items, BuildItems(node, depth));
        return PyValue{std::move(items)};
      }
      case Kind::kTuple: {
        SEEDCORE_ASSIGN_OR_RETURN(PyValue::List items, BuildItems(node, depth));
        return PyValue{PyValue::Tuple{std::move(items)}};
      }
      case Kind::kDict: return BuildDict(node, depth);
      case Kind::kGlobal:
      case Kind::kObject: break;
    }
    return Fail(ErrorCode::kInvalidArgument, "pickle: an object: only plain data is read");
  }

 private:
  Result<void> Count(std::size_t bytes) {
    ++values_;
    bytes_ += bytes;
    if (values_ <= limits_.max_nodes && bytes_ <= limits_.max_bytes) return {};
    return Fail(ErrorCode::kPayloadTooLarge,
                fmt::format("a value of more than {} parts or {} bytes", limits_.max_nodes, limits_.max_bytes));
  }

  Result<PyValue::List> BuildItems(const PickleNode& node, std::size_t depth) {
    PyValue::List items;
    for (const PickleId item : node.items) {
      SEEDCORE_ASSIGN_OR_RETURN(PyValue value, Build(item, depth + 1));
      items.push_back(std::move(value));
    }
    return items;
  }

  Result<PyValue> BuildDict(const PickleNode& node, std::size_t depth) {
    PyValue::Dict dict;
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      SEEDCORE_ASSIGN_OR_RETURN(std::string key, KeyText(graph_[node.items[i]]));
      SEEDCORE_ASSIGN_OR_RETURN(PyValue value, Build(node.items[i + 1], depth + 1));
      const auto [place, is_new] = places.try_emplace(key, dict.size());
      if (is_new) {
        dict.emplace_back(std::move(key), std::move(value));
      } else {
        dict[place->second].value = std::move(value);
      }
    }
    return PyValue{std::move(dict)};
  }

  Result<std::string> KeyText(const PickleNode& key) {
    SEEDCORE_RETURN_IF_ERROR(Count(key.text.size()));
    switch (key.kind) {
      case Kind::kText: return key.text;
      case Kind::kNone: return std::string("null");
      case Kind::kBool: return std::string(key.number != 0 ? "true" : "false");
      case Kind::kInt: return fmt::format("{}", key.number);
      case Kind::kUint: return fmt::format("{}", static_cast<std::uint64_t>(key.number));
      case Kind::kFloat: {
        std::string text;
        AppendJsonNumber(text, key.real);
        return text;
      }
      default: return Fail(ErrorCode::kInvalidArgument, "pickle: a dict key that is no text, number, bool or None");
    }
  }

  const PickleGraph& graph_;
  const PickleLimits& limits_;
  std::size_t values_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<PyValue> ReadPlain(const PickleGraph& graph, PickleId id, const PickleLimits& limits) {
  return TreeBuilder(graph, limits).Build(id, 0);
}

Result<PyValue> ReadPickle(std::string_view pickle, const PickleLimits& limits) {
  SEEDCORE_ASSIGN_OR_RETURN(const PickleGraph graph, RunPickle(pickle, limits, PickleObjects::kRefuse));
  return ReadPlain(graph, graph.root, limits);
}

}  // namespace seedcore::ray
