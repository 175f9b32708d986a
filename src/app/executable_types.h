#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/env.h"
#include "organism/executor.h"
#include "service/organism.h"
#include "service/peer.h"

namespace seedcore::app {

/// Which types can be executed where the tasks of this process are. Thread-safe.
class ExecutableTypes {
 public:
  virtual ~ExecutableTypes() = default;
  /// Looks into memory only. `workflow` is always among them: the coordinator executes it.
  [[nodiscard]] virtual bool Knows(const std::string& type) const = 0;
  /// Empty while nothing is known yet.
  [[nodiscard]] virtual std::set<std::string> All() const = 0;
  /// Looks anew, where that means to ask somebody; bounded in time, and not each time that it is called.
  virtual void Refresh() = 0;
  /// Why a type that is not known cannot be executed.
  [[nodiscard]] virtual std::string WhyNot(const std::string& type) const = 0;
};

/// By the executors of this process.
class LocalExecutables final : public ExecutableTypes {
 public:
  /// `executors` must outlive it.
  explicit LocalExecutables(const organism::ExecutorRegistry& executors) : executors_(executors) {}
  bool Knows(const std::string& type) const override;
  std::set<std::string> All() const override;
  void Refresh() override {}
  std::string WhyNot(const std::string& type) const override;

 private:
  const organism::ExecutorRegistry& executors_;
};

/// By those of the organism behind a gateway, as it said when it was asked last.
class RemoteExecutables final : public ExecutableTypes {
 public:
  /// `env` must outlive it.
  RemoteExecutables(service::Peer<service::OrganismService> organism, Env& env)
      : organism_(std::move(organism)), env_(env) {}
  bool Knows(const std::string& type) const override;
  std::set<std::string> All() const override;
  /// At most once a minute, or every three seconds until there has been an answer; waits two seconds for it.
  void Refresh() override;
  std::string WhyNot(const std::string& type) const override;

 private:
  const service::Peer<service::OrganismService> organism_;
  Env& env_;
  mutable std::mutex mutex_;  // guards everything below
  std::set<std::string> types_;
  std::optional<Instant> ask_after_;  // nullopt: at once
  bool failing_ = false;
};

}  // namespace seedcore::app
