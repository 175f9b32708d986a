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
  std::int64_t resumed_rows = 0;  ///< of these, copied by an earlier run
};

/// Copies `source` (opened with kCopyFrom) into `destination` (kCopyTo), which must be empty, or hold the beginning of
/// a copy of the same source when resuming. `progress` is called after each batch.
///
/// kConflict: the destination has other data, holds another or no unfinished copy, or has no place for a table of the
/// source that is not empty; or a row differs at the end. Otherwise the error of the store that failed; after that a
/// copy can be resumed.
[[nodiscard]] Result<CopyReport> CopyStore(Tables& source, Tables& destination, const CopySettings& settings,
                                           const std::function<void(const CopyProgress&)>& progress);

}  // namespace seedcore::store
