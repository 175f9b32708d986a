#include "ray/client/actor_directory.h"

#include <algorithm>

namespace seedcore::ray {

std::optional<std::string> ActorDirectory::Find(const std::string& space, const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = ids_.find({space, name});
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> ActorDirectory::Remember(const std::string& space, const std::string& name, std::string id) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> dropped;
  if (ids_.size() >= max_actors_) {
    for (auto& [key, old] : ids_) dropped.push_back(std::move(old));
    ids_.clear();
    std::erase(dropped, id);
  }
  ids_.insert_or_assign({space, name}, std::move(id));
  return dropped;
}

void ActorDirectory::Forget(const std::string& space, const std::string& name) {
  const std::lock_guard lock(mutex_);
  ids_.erase({space, name});
}

}  // namespace seedcore::ray
