#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http.h"

namespace seedcore::net {

/// Finds the route of a path. Built once, then read from any thread. Knows nothing of sockets.
///
/// Segment by segment a literal beats a parameter; when the literal branch has no route for the method, the parameter
/// is tried. HEAD falls back to GET.
class Router {
 public:
  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Match {
    std::size_t route = kNone;  ///< index given by Add; kNone when nothing fits
    bool path_exists = false;   ///< some method is routed for this path: 405 rather than 404
    /// Values of the pattern's parameters, in order; they point into the path.
    std::vector<std::string_view> values;
  };

  /// Indexes count up from 0. kInvalidArgument for a bad pattern, kConflict for one that is there already; patterns
  /// that differ only in parameter names are the same.
  Result<std::size_t> Add(Method method, std::string_view pattern);

  /// `path` is normalized, as ParseTarget leaves it.
  void Find(Method method, std::string_view path, Match& match) const;
  /// "GET, HEAD, POST": what an Allow header says; empty when the path does not exist.
  [[nodiscard]] std::string AllowedMethods(std::string_view path) const;
  /// Parameter names of a route, in order.
  [[nodiscard]] const std::vector<std::string>& Parameters(std::size_t route) const { return parameters_[route]; }

 private:
  static constexpr std::size_t kMethodCount = 7;
  struct Node;
  using Methods = std::array<std::size_t, kMethodCount>;
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> parameter;
    Methods routes = MakeEmpty();
  };

  static constexpr Methods MakeEmpty() {
    Methods methods{};
    methods.fill(kNone);
    return methods;
  }
  static std::size_t Select(const Node& node, Method method);
  static void Search(const Node& node, std::string_view rest, Method method, Match& match);

  Node root_;
  std::map<std::string, const Node*, std::less<>> exact_;  // patterns without parameters: one look-up
  std::vector<std::vector<std::string>> parameters_;
};

}  // namespace seedcore::net
