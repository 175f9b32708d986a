#include "net/router.h"

#include <algorithm>

#include <fmt/format.h>

namespace seedcore::net {
namespace {

/// Takes the first segment off "/a/b".
std::string_view TakeSegment(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  return segment;
}

Result<void> CheckPattern(std::string_view pattern) {
  const auto bad = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("route pattern '{}': {}", pattern, why));
  };
  if (pattern.empty() || pattern.front() != '/') return bad("must start with '/'");
  if (pattern == "/") return {};
  std::string_view rest = pattern;
  while (!rest.empty()) {
    const std::string_view segment = TakeSegment(rest);
    if (segment.empty()) return bad("empty segment");
    const bool opens = segment.front() == '{';
    const bool closes = segment.back() == '}';
    if (opens != closes || (opens && segment.size() < 3)) return bad("a parameter is a whole segment: {name}");
    const std::string_view inner = opens ? segment.substr(1, segment.size() - 2) : segment;
    if (inner.find_first_of("{}") != std::string_view::npos) return bad("a parameter is a whole segment: {name}");
  }
  return {};
}

}  // namespace

Result<std::size_t> Router::Add(Method method, std::string_view pattern) {
  SEEDCORE_RETURN_IF_ERROR(CheckPattern(pattern));
  Node* node = &root_;
  std::vector<std::string> names;
  std::string_view rest = pattern == "/" ? std::string_view{} : pattern;
  while (!rest.empty()) {
    const std::string_view segment = TakeSegment(rest);
    auto& child = segment.front() == '{' ? node->parameter : node->literals[std::string(segment)];
    if (segment.front() == '{') names.emplace_back(segment.substr(1, segment.size() - 2));
    if (!child) child = std::make_unique<Node>();
    node = child.get();
  }
  std::size_t& slot = node->routes[static_cast<std::size_t>(method)];
  if (slot != kNone) {
    return Fail(ErrorCode::kConflict, fmt::format("route '{} {}' is declared twice", ToString(method), pattern));
  }
  slot = parameters_.size();
  if (names.empty()) exact_.emplace(pattern, node);
  parameters_.push_back(std::move(names));
  return slot;
}

std::size_t Router::Select(const Node& node, Method method) {
  const std::size_t route = node.routes[static_cast<std::size_t>(method)];
  if (route == kNone && method == Method::kHead) return node.routes[static_cast<std::size_t>(Method::kGet)];
  return route;
}

void Router::Search(const Node& node, std::string_view rest, Method method, Match& match) {
  if (rest.empty()) {
    match.route = Select(node, method);
    match.path_exists =
        match.path_exists || std::ranges::any_of(node.routes, [](auto route) { return route != kNone; });
    return;
  }
  const std::string_view segment = TakeSegment(rest);
  if (const auto literal = node.literals.find(segment); literal != node.literals.end()) {
    Search(*literal->second, rest, method, match);
    if (match.route != kNone) return;
  }
  if (!node.parameter) return;
  match.values.push_back(segment);
  Search(*node.parameter, rest, method, match);
  if (match.route == kNone) match.values.pop_back();
}

void Router::Find(Method method, std::string_view path, Match& match) const {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);  // "/ml/" is "/ml"
  match.values.clear();
  match.path_exists = false;
  match.route = kNone;
  if (const auto exact = exact_.find(path); exact != exact_.end()) {
    match.path_exists = true;
    match.route = Select(*exact->second, method);
    if (match.route != kNone) return;
  }
  Search(root_, path == "/" ? std::string_view{} : path, method, match);
}

std::string Router::AllowedMethods(std::string_view path) const {
  std::string allowed;
  Match match;
  for (std::size_t i = 0; i < kMethodCount; ++i) {
    const auto method = static_cast<Method>(i);
    Find(method, path, match);
    if (!match.path_exists) return {};
    // The server itself answers OPTIONS for every path there is.
    if (match.route == kNone && method != Method::kOptions) continue;
    if (!allowed.empty()) allowed += ", ";
    allowed += ToString(method);
  }
  return allowed;
}

}  // namespace seedcore::net
