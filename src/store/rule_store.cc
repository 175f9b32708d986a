#include "store/rule_store.h"

#include <fmt/format.h>

namespace seedcore::store {
namespace {

Result<void> CheckRuleText(const std::string& text, std::size_t most, const char* field) {
  // PostgreSQL keeps no NUL in a text.
  if (text.find('\0') != std::string::npos) return Fail(ErrorCode::kInvalidArgument, "a NUL byte is in it", field);
  if (text.size() <= most) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} bytes; at most {} are allowed", text.size(), most), field);
}

}  // namespace

Result<void> CheckRules(const NewRules& rules) {
  if (rules.text) SEEDCORE_RETURN_IF_ERROR(CheckRuleText(*rules.text, kMaxRuleText, "text"));
  return CheckRuleText(rules.note, kMaxRuleNote, "note");
}

Error UnexpectedRules(std::int64_t expected, std::int64_t newest) {
  const std::string found = newest == 0 ? "the store has no rules" : fmt::format("the newest is version {}", newest);
  return {ErrorCode::kConflict, fmt::format("expected version {} of the rules, but {}", expected, found), {}};
}

Error NoSuchRules(std::int64_t version) {
  return {ErrorCode::kNotFound, fmt::format("version {} of the rules is not kept, or never was", version), {}};
}

}  // namespace seedcore::store
