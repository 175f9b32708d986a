#include "store/copy.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/json.h"

namespace seedcore::store {
namespace {

// `after_key`: the key of the last row copied, as a JSON array. The row with an empty name tells the source.
constexpr char kCreateProgress[] =
    "CREATE TABLE store_copy (table_name TEXT PRIMARY KEY, after_key TEXT NOT NULL, n BIGINT NOT NULL)";

std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string KeyText(const Row& key) {
  json::array out;
  for (const Value& value : key) {
    if (const auto* integer = std::get_if<std::int64_t>(&value))
      out.emplace_back(*integer);
    else if (const auto* text = std::get_if<std::string>(&value))
      out.emplace_back(*text);
    else
      out.emplace_back(nullptr);
  }
  return WriteJson(out);
}

Result<Row> KeyFromText(const std::string& text) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value parsed, ParseJson(text));
  Row key;
  if (!parsed.is_array()) return Fail(ErrorCode::kCorrupt, "store_copy holds what is not a key");
  for (const json::value& value : parsed.get_array()) {
    if (value.is_int64())
      key.emplace_back(value.get_int64());
    else if (value.is_string())
      key.emplace_back(std::string(value.get_string()));
    else
      return Fail(ErrorCode::kCorrupt, "store_copy holds what is not a key");
  }
  return key;
}

Row KeyOf(const Table& table, const Row& row) {
  Row key;
  for (const std::string& column : table.key) {
    const auto at = std::ranges::find(table.columns, column) - table.columns.begin();
    key.push_back(row[static_cast<std::size_t>(at)]);
  }
  return key;
}

std::int64_t BytesOf(std::span<const Row> rows) {
  std::int64_t bytes = 0;
  for (const Row& row : rows) {
    bytes += static_cast<std::int64_t>(row.size() * sizeof(Value));
    for (const Value& value : row) {
      if (const auto* text = std::get_if<std::string>(&value)) bytes += static_cast<std::int64_t>(text->size());
    }
  }
  return bytes;
}

/// How many rows to ask for: as many as were near the target last time, and never more than twice as many as then.
class BatchSize {
 public:
  explicit BatchSize(const CopySettings& settings) : settings_(settings) {}
  [[nodiscard]] int Next() const { return size_; }
  void Saw(std::span<const Row> rows) {
    if (rows.empty()) return;
    const std::int64_t each = std::max<std::int64_t>(1, BytesOf(rows) / static_cast<std::int64_t>(rows.size()));
    const std::int64_t wanted = std::min<std::int64_t>(settings_.target_bytes / each, std::int64_t{size_} * 2);
    size_ = static_cast<int>(std::clamp<std::int64_t>(wanted, 1, settings_.max_rows));
  }

 private:
  const CopySettings& settings_;
  int size_ = 16;
};

/// Tables that others refer to come first.
std::vector<Table> InOrder(std::vector<Table> tables) {
  std::vector<Table> ordered;
  const auto is_there = [&](const std::string& name) {
    return std::ranges::find(tables, name, &Table::name) == tables.end();
  };
  while (!tables.empty()) {
    auto next = std::ranges::find_if(tables, [&](const Table& table) {
      return std::ranges::all_of(table.references,
                                 [&](const std::string& name) { return name == table.name || is_there(name); });
    });
    if (next == tables.end()) next = tables.begin();  // a circle: the destination will say what is missing
    ordered.push_back(std::move(*next));
    tables.erase(next);
  }
  return ordered;
}

/// Between two tables of one name.
std::string Difference(const Table& source, const Table& destination) {
  std::vector<std::string> more, missing, parts;
  std::ranges::set_difference(source.columns, destination.columns, std::back_inserter(more));
  std::ranges::set_difference(destination.columns, source.columns, std::back_inserter(missing));
  if (!more.empty()) parts.push_back(fmt::format("more columns: {}", fmt::join(more, ", ")));
  if (!missing.empty()) parts.push_back(fmt::format("missing columns: {}", fmt::join(missing, ", ")));
  if (parts.empty()) parts.emplace_back("another primary key");
  return fmt::format("{}", fmt::join(parts, "; "));
}

class Copy {
 public:
  Copy(Tables& source, Tables& destination, const CopySettings& settings,
       const std::function<void(const CopyProgress&)>& progress)
      : source_(source), destination_(destination), settings_(settings), progress_(progress) {}

  Result<CopyReport> Run() {
    SEEDCORE_RETURN_IF_ERROR(Prepare());
    SEEDCORE_RETURN_IF_ERROR(Start());
    if (progress_) progress_({.table = {}, .done = done_, .total = total_});
    for (const Table& table : tables_) SEEDCORE_RETURN_IF_ERROR(CopyTable(table));
    SEEDCORE_RETURN_IF_ERROR(InTransaction([&] { return Settle(); }));
    done_ = 0;
    for (const Table& table : tables_) SEEDCORE_RETURN_IF_ERROR(Verify(table));
    SEEDCORE_RETURN_IF_ERROR(
        InTransaction([&]() -> Result<void> { return Execute("DROP TABLE " + std::string(kCopyTable)); }));
    for (const Table& table : tables_) report_.tables.push_back({table.name, rows_[table.name]});
    return std::move(report_);
  }

 private:
  template <class Operation>
  Result<void> InTransaction(Operation operation) {
    Result<void> done = destination_.Begin();
    if (done) done = operation();
    if (done) done = destination_.Commit();
    if (!done) destination_.Rollback();
    return done;
  }
  Result<void> Execute(const std::string& sql) {
    SEEDCORE_RETURN_IF_ERROR(destination_.Query(sql));
    return {};
  }
  /// What there is to copy. The columns of the source must be those of the destination.
  Result<void> Prepare() {
    SEEDCORE_ASSIGN_OR_RETURN(const int from, source_.SchemaVersion());
    SEEDCORE_ASSIGN_OR_RETURN(const int to, destination_.SchemaVersion());
    if (from != to) {
      return Fail(
          ErrorCode::kConflict,
          fmt::format("the source has schema version {}, the destination {}; run `seedcore store migrate` on the "
                      "older one first",
                      from, to));
    }
    SEEDCORE_ASSIGN_OR_RETURN(const bool is_half, source_.HasTable(kCopyTable));
    if (is_half) return std::unexpected(UnfinishedCopy(source_.place()));
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<Table> there, source_.Describe());
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Table> here, destination_.Describe());
    SEEDCORE_ASSIGN_OR_RETURN(report_.left_out, source_.Foreign());
    for (const Table& table : here) {
      if (std::ranges::find(there, table.name, &Table::name) != there.end()) continue;
      return Fail(ErrorCode::kConflict, fmt::format("the source has no table {}", table.name), source_.place());
    }
    for (Table& table : there) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t rows, source_.Count(table));
      const auto found = std::ranges::find(here, table.name, &Table::name);
      const bool fits = found != here.end() && found->columns == table.columns && found->key == table.key;
      if (!fits && rows > 0) {
        return Fail(ErrorCode::kConflict,
                    found == here.end() ? fmt::format("the table {} has {} rows, and no table of that name is in {}",
                                                      table.name, rows, destination_.place())
                                        : fmt::format("the table {} has {} rows and another shape than SeedCore's: {}",
                                                      table.name, rows, Difference(table, *found)),
                    source_.place());
      }
      if (!fits || table.key.empty()) continue;
      total_ += rows;
      table.references.insert(table.references.end(), found->references.begin(), found->references.end());
      tables_.push_back(std::move(table));
    }
    tables_ = InOrder(std::move(tables_));
    return {};
  }

  Result<void> Start() {
    SEEDCORE_ASSIGN_OR_RETURN(const bool begun, destination_.HasTable(kCopyTable));
    if (begun) return Continue();
    for (const Table& table : tables_) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t rows, destination_.Count(table));
      if (rows == 0) continue;
      return Fail(ErrorCode::kConflict,
                  fmt::format("the destination is not empty: its table {} has {} rows", table.name, rows),
                  destination_.place());
    }
    return InTransaction([&]() -> Result<void> {
      SEEDCORE_RETURN_IF_ERROR(Execute(kCreateProgress));
      return Execute(fmt::format("INSERT INTO store_copy VALUES ('', {}, 0)", Quoted(source_.place())));
    });
  }

  Result<void> Continue() {
    if (!settings_.resume) {
      return Fail(ErrorCode::kConflict,
                  "the destination holds a copy that was begun; go on with --resume, or delete it",
                  destination_.place());
    }
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> rows,
                              destination_.Query("SELECT table_name, after_key, n FROM store_copy"));
    for (const Row& row : rows) {
      const std::string &name = std::get<std::string>(row[0]), &text = std::get<std::string>(row[1]);
      if (name.empty()) {
        if (text == source_.place()) continue;
        return Fail(ErrorCode::kConflict, fmt::format("the destination holds the beginning of a copy of {}", text),
                    destination_.place());
      }
      SEEDCORE_ASSIGN_OR_RETURN(after_[name], KeyFromText(text));
      rows_[name] = std::get<std::int64_t>(row[2]);
      report_.resumed_rows += rows_[name];
    }
    report_.rows = done_ = report_.resumed_rows;
    return {};
  }

  Result<void> CopyTable(const Table& table) {
    BatchSize size(settings_);
    Row& after = after_[table.name];
    std::int64_t& copied = rows_[table.name];
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> rows, source_.Read(table, after, size.Next()));
      if (rows.empty()) return {};
      size.Saw(rows);
      const Row last = KeyOf(table, rows.back());
      const auto count = static_cast<std::int64_t>(rows.size());
      const Result<void> stored = InTransaction([&]() -> Result<void> {
        SEEDCORE_RETURN_IF_ERROR(destination_.Insert(table, rows));
        return Execute(
            fmt::format("INSERT INTO store_copy VALUES ({0}, {1}, {2}) ON CONFLICT (table_name) DO UPDATE SET "
                        "after_key = {1}, n = {2}",
                        Quoted(table.name), Quoted(KeyText(last)), copied + count));
      });
      if (!stored) return stored;
      after = last;
      copied += count;
      report_.rows += count;
      Report(table, false, count);
    }
  }

  Result<void> Settle() {
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t last_event, source_.LastEvent());
    return destination_.Settle(last_event);
  }

  Result<void> Verify(const Table& table) {
    BatchSize size(settings_);
    Row after;
    for (;;) {
      const int limit = size.Next();
      SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> there, source_.Read(table, after, limit));
      SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> here, destination_.Read(table, after, limit));
      for (std::size_t i = 0; i < std::max(there.size(), here.size()); ++i) {
        if (i < there.size() && i < here.size() && there[i] == here[i]) continue;
        const Row& row = i < there.size() ? there[i] : here[i];
        return Fail(ErrorCode::kConflict,
                    fmt::format("the row {} of {} is not the same on both sides; the source has changed since the copy "
                                "was begun, or one of them is damaged. Delete the destination and copy again",
                                KeyText(KeyOf(table, row)), table.name));
      }
      if (there.empty()) return {};
      size.Saw(there);
      after = KeyOf(table, there.back());
      Report(table, true, static_cast<std::int64_t>(there.size()));
    }
  }

  void Report(const Table& table, bool verifying, std::int64_t count) {
    done_ += count;
    if (progress_) progress_({table.name, verifying, done_, total_});
  }

  Tables& source_;
  Tables& destination_;
  const CopySettings& settings_;
  const std::function<void(const CopyProgress&)>& progress_;
  std::vector<Table> tables_;
  std::map<std::string, Row> after_;          ///< the key of the last row that is in the destination, by table
  std::map<std::string, std::int64_t> rows_;  ///< in the destination, by table
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  CopyReport report_;
};

}  // namespace

Result<CopyReport> CopyStore(Tables& source, Tables& destination, const CopySettings& settings,
                             const std::function<void(const CopyProgress&)>& progress) {
  if (source.place() == destination.place()) {
    return Fail(ErrorCode::kInvalidArgument, "source and destination are the same store", source.place());
  }
  return Copy(source, destination, settings, progress).Run();
}

}  // namespace seedcore::store
