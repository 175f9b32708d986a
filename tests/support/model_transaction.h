#pragma once

#include <cstdint>
#include <mutex>

#include "support/model_store.h"

// Internal to the model of the store.
namespace seedcore::test {

/// Whether `task` runs under `lease`.
inline bool Holds(const store::Task& task, const store::Lease& lease) {
  return task.status == store::TaskStatus::kRunning && task.owner_id == lease.owner_id &&
         task.fencing_token == lease.fencing_token;
}

class ModelStore::Transaction {
 public:
  explicit Transaction(ModelStore& model) : model_(model), lock_(model.mutex_), events_(model.last_event_) {
    model_.now_ = model_.env_.WallNow();
    model_.made_runnable_ = false;
  }
  ~Transaction() {
    model_.GiveTurns();
    const bool runnable = model_.made_runnable_;
    const bool events = model_.last_event_ != events_;
    lock_.unlock();
    if (runnable) model_.runnable_.Emit();
    if (events) model_.events_signal_.Emit();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

 private:
  ModelStore& model_;
  std::unique_lock<std::mutex> lock_;
  const std::int64_t events_;
};

}  // namespace seedcore::test
