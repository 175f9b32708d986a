#include "cli/read_text.h"

#include <fstream>
#include <iostream>
#include <iterator>

namespace seedcore::cli {

Result<std::string> ReadText(const std::string& argument, const std::string& option) {
  if (argument == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  if (!argument.starts_with('@')) return argument;
  const std::ifstream in(argument.substr(1), std::ios::binary);
  if (!in) return Fail(ErrorCode::kNotFound, "cannot read " + argument.substr(1), option);
  return std::string(std::istreambuf_iterator<char>(in.rdbuf()), {});
}

}  // namespace seedcore::cli
