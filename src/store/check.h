#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "store/tables.h"

/// Whether a store is sound: the files or pages themselves, and what must hold between its rows.
namespace seedcore::store {

struct Finding {
  std::string rule;     ///< what must hold, as a sentence
  std::int64_t count;   ///< rows that break it
  std::string example;  ///< id of one of them; or what the database says
};

struct CheckReport {
  std::string place;
  int schema_version = 0;
  std::map<std::string, std::int64_t> tasks;  ///< by status
  std::int64_t dead_letters = 0;
  std::int64_t events = 0;
  std::int64_t rules = 0;         ///< how many were checked
  std::vector<Finding> findings;  ///< empty: sound
};

/// Reads everything in one snapshot; the store may be in use. An error means that it could not be checked.
[[nodiscard]] Result<CheckReport> CheckStore(Tables& tables);

}  // namespace seedcore::store
