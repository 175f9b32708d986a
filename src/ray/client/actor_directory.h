#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace seedcore::ray {

/// Ids of the actors a session has looked up. Thread-safe.
class ActorDirectory {
 public:
  explicit ActorDirectory(std::size_t max_actors = 256) : max_actors_(max_actors) {}

  [[nodiscard]] std::optional<std::string> Find(const std::string& space, const std::string& name) const;
  /// Returns the ids that are not kept any longer, for the server to release: beyond `max_actors` the directory starts
  /// anew.
  [[nodiscard]] std::vector<std::string> Remember(const std::string& space, const std::string& name, std::string id);
  void Forget(const std::string& space, const std::string& name);

 private:
  const std::size_t max_actors_;
  mutable std::mutex mutex_;  // guards ids_
  std::map<std::pair<std::string, std::string>, std::string> ids_;
};

}  // namespace seedcore::ray
