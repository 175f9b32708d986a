#include "store/postgres/errors.h"

#include <string>

#include <fmt/format.h>

namespace seedcore::store::postgres {
namespace {

struct StateRow {
  std::string_view state;  ///< five characters, or the first two for a whole class
  ErrorCode code;
  std::string_view meaning;  ///< empty: the server's message says it all
};

// The first row that matches counts.
constexpr StateRow kStates[] = {
    {"SC001", ErrorCode::kConflict, ""},
    {"SC002", ErrorCode::kNotFound, ""},
    {"40001", ErrorCode::kUnavailable, "the transaction collided with others; try again"},
    {"40P01", ErrorCode::kUnavailable, "the transaction collided with others; try again"},
    {"55P03", ErrorCode::kUnavailable, "a lock was not free in time; nothing was stored, try again"},
    {"57014", ErrorCode::kUnavailable, "the statement took longer than allowed; nothing was stored, try again"},
    {"57P", ErrorCode::kUnavailable, "PostgreSQL is shutting down or starting; try again"},
    {"53100", ErrorCode::kUnavailable, "the disk of the database is full; nothing was stored"},
    {"53", ErrorCode::kUnavailable, "PostgreSQL has no resources left; try again later"},
    {"58", ErrorCode::kUnavailable, "the database server reported a system error"},
    {"08", ErrorCode::kUnavailable, "the connection to PostgreSQL was lost"},
    {"25006", ErrorCode::kUnavailable, "the database is read-only, as a standby server is"},
    {"25P03", ErrorCode::kUnavailable, "a transaction stood idle for too long; nothing was stored, try again"},
    {"28P01", ErrorCode::kUnauthenticated, "PostgreSQL refused the password"},
    {"28", ErrorCode::kUnauthenticated, "PostgreSQL refused the user"},
    {"3D000", ErrorCode::kNotFound, "the database does not exist"},
    {"42501", ErrorCode::kPermissionDenied, "the database user lacks a permission"},
    {"22023", ErrorCode::kInvalidArgument, ""},
    {"22021", ErrorCode::kInvalidArgument, "a text is not valid UTF-8, or holds a NUL character"},
    {"22P05", ErrorCode::kInvalidArgument, "a text holds a character that the database cannot store"},
    {"54000", ErrorCode::kPayloadTooLarge, "a value is larger than the database can hold"},
    {"XX001", ErrorCode::kCorrupt, "the database is damaged"},
    {"XX002", ErrorCode::kCorrupt, "the database is damaged"},
    {"42P01", ErrorCode::kCorrupt, "a table is missing from the database"},
    {"42883", ErrorCode::kCorrupt, "a function is missing from the database"},
};

struct KindRow {
  std::string_view begins;  ///< the message
  std::string_view holds;   ///< further on; empty: anything
  std::string_view kind;
};

// Of messages without a SQLSTATE. The first row that matches counts.
constexpr std::string_view kUnreachable = "PostgreSQL cannot be reached";
constexpr std::string_view kLost = "the connection to PostgreSQL was lost";
constexpr std::string_view kSilent = "has not answered within";
constexpr KindRow kKinds[] = {
    {kUnreachable, "Connection refused", "PostgreSQL refuses connections"},
    {kUnreachable, "no answer within", "PostgreSQL does not answer in time"},
    {kUnreachable, "timed out", "PostgreSQL does not answer in time"},
    {kUnreachable, "could not translate host name", "the host of PostgreSQL is not known"},
    {kUnreachable, "", kUnreachable},
    {kLost, "", kLost},
    {"PostgreSQL at", kSilent, "PostgreSQL does not answer in time"},
    {"every connection to PostgreSQL is busy", "", "every connection to PostgreSQL is busy"},
};

const StateRow* Find(std::string_view sql_state) {
  for (const StateRow& row : kStates) {
    if (sql_state.starts_with(row.state)) return &row;
  }
  return nullptr;
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

/// The SQLSTATE of "...FATAL:  28P01: password ...": five characters between two blanks and a colon.
std::string_view StateIn(std::string_view message) {
  for (std::size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
    const std::string_view rest = message.substr(at + 3);
    if (rest.size() > 6 && rest[5] == ':' && Find(rest.substr(0, 5)) != nullptr) return rest.substr(0, 5);
  }
  return {};
}

}  // namespace

Error ErrorFromSqlState(std::string_view sql_state, std::string_view message, std::string_view column) {
  const StateRow* const row = Find(sql_state);
  if (row == nullptr) {
    return {ErrorCode::kInternal, fmt::format("PostgreSQL error {}: {}", sql_state, message), std::string(column)};
  }
  if (row->meaning.empty()) return {row->code, std::string(message), std::string(column)};
  return {row->code, fmt::format("{} (PostgreSQL: {})", row->meaning, message), std::string(column)};
}

Error ConnectError(std::string_view message, std::string_view place) {
  const std::string_view state = StateIn(message);
  if (const StateRow* const row = Find(state); !state.empty() && row != nullptr) {
    const std::string_view text = FirstLine(message.substr(message.find(state) + state.size() + 2));
    return {row->code, fmt::format("{} (PostgreSQL at {}: {})", row->meaning, place, text), {}};
  }
  return {ErrorCode::kUnavailable, fmt::format("{} at {}: {}", kUnreachable, place, FirstLine(message)), {}};
}

Error ConnectionLost(std::string_view detail) {
  return {ErrorCode::kUnavailable,
          fmt::format("{}; whether the last change was stored is not known ({})", kLost, FirstLine(detail)),
          {}};
}

Error NoAnswer(std::chrono::milliseconds timeout, std::string_view place) {
  return {ErrorCode::kUnavailable,
          fmt::format("PostgreSQL at {} {} {} ms; the connection was given up, and whether the last change was stored "
                      "is not known",
                      place, kSilent, timeout.count()),
          {}};
}

std::string_view KindOf(std::string_view error) {
  const std::size_t colon = error.find(": ");
  if (colon == std::string_view::npos) return error;
  const std::string_view message = error.substr(colon + 2);
  for (const KindRow& row : kKinds) {
    if (message.starts_with(row.begins) && message.find(row.holds) != std::string_view::npos) return row.kind;
  }
  for (const StateRow& row : kStates) {
    if (!row.meaning.empty() && message.starts_with(row.meaning)) return row.meaning;
  }
  return error.substr(0, colon);
}

bool IsRepeatable(std::string_view sql_state) { return sql_state == "40001" || sql_state == "40P01"; }

bool IsLockTimeout(std::string_view sql_state) { return sql_state == "55P03"; }

}  // namespace seedcore::store::postgres
