#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "base/strings.h"
#include "store/ids.h"
#include "store/sqlite/database.h"

namespace seedcore::store::sqlite {

/// The one row a full id or a prefix of at least 4 characters names, positioned on it. `sql` selects by `id >= ?1 AND
/// id < ?2`, limited to 2 rows; its column 1 is the id. kNotFound, kAmbiguous, kInvalidArgument. `what`: "task",
/// "fact".
template <class Read>
[[nodiscard]] auto FindByPrefix(Database& database, const char* sql, std::string_view what,
                                std::string_view id_or_prefix, const Read& read)
    -> std::invoke_result_t<const Read&, const Statement&>;

/// Past every id that begins with `prefix`: ids are hexadecimal digits and dashes.
[[nodiscard]] std::string EndOfPrefix(std::string_view prefix);

template <class Read>
auto FindByPrefix(Database& database, const char* sql, std::string_view what, std::string_view id_or_prefix,
                  const Read& read) -> std::invoke_result_t<const Read&, const Statement&> {
  SEEDCORE_RETURN_IF_ERROR(CheckPrefix(what, id_or_prefix));
  const std::string begin = ToLower(id_or_prefix);
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(sql, begin, EndOfPrefix(begin)));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, rows.Next());
  if (!found) return std::unexpected(NoSuch(what, id_or_prefix));
  auto row = read(rows);
  SEEDCORE_ASSIGN_OR_RETURN(const bool another, rows.Next());
  if (another) return std::unexpected(AmbiguousPrefix(what, id_or_prefix));
  return row;
}

}  // namespace seedcore::store::sqlite
