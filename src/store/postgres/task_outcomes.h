#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "store/postgres/database.h"
#include "store/store.h"

namespace seedcore::store::postgres {

/// How one task ended, and where the answer goes; what it points to outlives it.
struct Outcome {
  const Finish* finish;
  const std::string* result;  ///< as JSON, empty: none
  Result<void>* answer;
};

/// Outcomes that are written together, by one statement.
class Outcomes {
 public:
  /// What cannot be a task is answered at once.
  void Add(const Finish& finish, const std::string& result, Result<void>& answer);
  /// Sends them, and puts the answers and, for tasks that ended, their effects in place. No lock is waited for longer
  /// than `lock_wait`.
  [[nodiscard]] Result<void> Write(WriteContext& context, std::chrono::milliseconds lock_wait);

 private:
  std::vector<Outcome> given_;
};

}  // namespace seedcore::store::postgres
