#pragma once

#include <string>
#include <string_view>

#include "store/postgres/connection.h"
#include "store/tables.h"

/// Between PostgreSQL's values and those both stores share (tables.h).
namespace seedcore::store::postgres {

struct ColumnType {
  std::string name;  ///< of pg_type, for example "timestamptz"
  bool is_enum = false;
};

/// Whether values of this type can be read and written here.
[[nodiscard]] bool IsKnown(const ColumnType& type);
/// A value of a result; the result says of which type it is. Types that are not known are taken for text.
[[nodiscard]] Value ReadValue(const Rows& rows, int row, int column);
/// One parameter of this type.
void AddValue(Params& params, const ColumnType& type, const Value& value);
/// An array parameter with one value of each row. Lists of texts travel as text: see FromElement.
[[nodiscard]] Array ColumnOf(std::span<const Row> rows, std::size_t column, const ColumnType& type);
/// The SQL type of that array's elements, and the expression that makes the column's value of one.
[[nodiscard]] std::string ElementType(const ColumnType& type);
[[nodiscard]] std::string FromElement(const ColumnType& type, const std::string& element);

}  // namespace seedcore::store::postgres
