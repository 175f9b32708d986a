#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "store/tables.h"

/// A whole store into another one, of either kind, so that a team can move from SQLite to PostgreSQL and back.
///
/// Each batch is one transaction of the destination, together with how far it is: whatever ends a copy in its middle,
/// it goes on from there. At the end every row is read again on both sides and compared.
namespace seedcore::store {

struct CopySettings {
  bool resume = false;                  ///< go on with a copy that was begun
  int max_rows = 500;                   ///< of one batch
  std::int64_t target_bytes = 4 << 20;  ///< of one batch, about; rows are never split
};

struct CopyProgress {
  std::string table;
  bool verifying = false;
  std::int64_t done = 0;  ///< rows of the whole store
  std::int64_t total = 0;
};

struct CopiedTable {
  std::string name;
  std::int64_t rows = 0;
};
struct CopyReport {
  std::vector<CopiedTable> tables;
  std::int64_t rows = 0;
  std::int64_t resumed_rows = 0;      ///< of these, copied by an earlier run
  std::vector<std::string> left_out;  ///< tables beside the source's that are not SeedCore's, by name
};

/// Copies `source` (opened with kCopyFrom) into `destination` (kCopyTo), which must be empty, or hold the beginning of
/// a copy of the same source when resuming. Tables that are not SeedCore's stay where they are. `progress` is called
/// once the copy has begun, and after each batch: what is refused before has left nothing in the destination.
///
/// kConflict: the destination has other data, holds another or no unfinished copy, or a table of SeedCore's is not
/// there or has another shape than there; or a row differs at the end. Otherwise the error of the store that failed;
/// when it had begun, a copy can be resumed after that.
[[nodiscard]] Result<CopyReport> CopyStore(Tables& source, Tables& destination, const CopySettings& settings,
                                           const std::function<void(const CopyProgress&)>& progress);

}  // namespace seedcore::store
