#pragma once

#include <condition_variable>
#include <mutex>
#include <type_traits>
#include <vector>

#include "base/env.h"
#include "store/sqlite/database.h"

namespace seedcore::store::sqlite {

/// A fixed number of read-only connections, used in parallel. A caller waits for a free one at most `max_wait`, then
/// gets kResourceExhausted. Fault site: "store.read". Thread-safe.
class Readers {
 public:
  Readers(std::vector<Database> connections, std::chrono::milliseconds max_wait, Env& env);

  /// Runs `operation(Database&)`, which returns a Result, on a free connection. It must not call Run again.
  template <class Operation>
  auto Run(Operation&& operation) -> std::invoke_result_t<Operation&, Database&> {
    SEEDCORE_ASSIGN_OR_RETURN(Database* const connection, Take());
    const GiveBack give_back{*this, connection};
    return operation(*connection);
  }

 private:
  struct GiveBack {
    Readers& readers;
    Database* connection;
    ~GiveBack();
  };
  Result<Database*> Take();

  std::vector<Database> connections_;
  const std::chrono::milliseconds max_wait_;
  Env& env_;
  std::mutex mutex_;  // guards `free_`
  std::condition_variable_any returned_;
  std::vector<Database*> free_;
};

}  // namespace seedcore::store::sqlite
