#include "store/postgres/table_values.h"

#include <array>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "store/graph_store.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

struct TypeRow {
  std::string_view name;
  Oid element;  ///< of an array with values of it
};

constexpr std::array<TypeRow, 10> kTypes = {{{"bool", Oid::kBool},
                                             {"int4", Oid::kInt4},
                                             {"int8", Oid::kInt8},
                                             {"float8", Oid::kFloat8},
                                             {"text", Oid::kText},
                                             {"json", Oid::kJson},
                                             {"timestamptz", Oid::kTimestamptz},
                                             {"uuid", Oid::kUuid},
                                             {"_text", Oid::kText},
                                             {"_float4", Oid::kText}}};
constexpr std::uint32_t kTextArray = 1009;
constexpr std::uint32_t kFloatArray = 1021;
constexpr std::uint32_t kInt2 = 21;

Oid ElementOf(const ColumnType& type) {
  for (const TypeRow& row : kTypes) {
    if (row.name == type.name) return row.element;
  }
  return Oid::kText;  // enums
}

/// Calls `add` with the value in the C++ type that stands for the SQL type (params.h).
template <class Add>
void Convert(Oid oid, const Value& value, Add add) {
  const auto* const integer = std::get_if<std::int64_t>(&value);
  const auto* const real = std::get_if<double>(&value);
  const auto* const text = std::get_if<std::string>(&value);
  if (integer != nullptr) {
    switch (oid) {
      case Oid::kBool: return add(*integer != 0);
      case Oid::kInt4: return add(static_cast<int>(*integer));
      case Oid::kTimestamptz: return add(FromUnixMicros(*integer));
      case Oid::kFloat8: return add(static_cast<double>(*integer));
      default: return add(*integer);
    }
  }
  if (real != nullptr) return add(*real);
  if (text != nullptr) return oid == Oid::kUuid ? add(Uuid{*text}) : add(std::string_view(*text));
  add(std::nullopt);
}

}  // namespace

bool IsKnown(const ColumnType& type) {
  if (type.is_enum) return true;
  for (const TypeRow& row : kTypes) {
    if (row.name == type.name) return true;
  }
  return false;
}

Value ReadValue(const Rows& rows, int row, int column) {
  if (rows.IsNull(row, column)) return {};
  switch (const std::uint32_t type = rows.Type(column)) {
    case static_cast<std::uint32_t>(Oid::kBool):
    case static_cast<std::uint32_t>(Oid::kInt4):
    case static_cast<std::uint32_t>(Oid::kInt8):
    case kInt2: return rows.Int(row, column);
    case static_cast<std::uint32_t>(Oid::kFloat8): return rows.Double(row, column);
    case static_cast<std::uint32_t>(Oid::kTimestamptz): return ToUnixMicros(rows.Time(row, column));
    case static_cast<std::uint32_t>(Oid::kUuid): return rows.Id(row, column);
    case kFloatArray: return WriteVector(ReadFloatArray(rows.Text(row, column)));
    default:
      return type == kTextArray ? WriteStrings(ReadTextArray(rows.Text(row, column)))
                                : std::string(rows.Text(row, column));
  }
}

void AddValue(Params& params, const ColumnType& type, const Value& value) {
  Convert(ElementOf(type), value, [&](const auto& converted) { params.Add(converted); });
}

Array ColumnOf(std::span<const Row> rows, std::size_t column, const ColumnType& type) {
  const Oid oid = ElementOf(type);
  Array array(oid);
  for (const Row& row : rows) {
    Convert(oid, row[column], [&](const auto& converted) { array.Add(converted); });
  }
  return array;
}

std::string ElementType(const ColumnType& type) {
  return type.is_enum || type.name == "_text" || type.name == "_float4" ? "text" : type.name;
}

std::string FromElement(const ColumnType& type, const std::string& element) {
  if (type.is_enum) return fmt::format("{}::{}", element, type.name);
  if (type.name == "_text") return fmt::format("ARRAY(SELECT json_array_elements_text({}::json))", element);
  if (type.name == "_float4") return fmt::format("ARRAY(SELECT json_array_elements_text({}::json)::real)", element);
  return element;
}

}  // namespace seedcore::store::postgres
