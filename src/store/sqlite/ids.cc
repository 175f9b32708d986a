#include "store/sqlite/ids.h"

namespace seedcore::store::sqlite {

std::string EndOfPrefix(std::string_view prefix) { return std::string(prefix) + '\x7f'; }

}  // namespace seedcore::store::sqlite
