#include "store/fact_query.h"

#include <algorithm>
#include <cctype>

namespace seedcore::store {

Result<void> CheckQuery(const FactQuery& query) {
  if (query.limit < 1 || query.limit > 1000) return Fail(ErrorCode::kInvalidArgument, "expected 1 to 1000", "limit");
  if (query.offset < 0) return Fail(ErrorCode::kInvalidArgument, "expected 0 or more", "offset");
  return {};
}

bool IsWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0;
}

bool AsksForNothing(const FactQuery& query) {
  return !query.text.empty() && std::ranges::none_of(query.text, IsWordByte);
}

}  // namespace seedcore::store
