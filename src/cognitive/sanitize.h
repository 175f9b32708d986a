#pragma once

#include <string>
#include <string_view>

namespace seedcore::cognitive {

/// `text` without what should never reach a model or a page (P§5.3): fenced code, inline code, http(s) URLs, @mentions,
/// script and iframe elements become markers in square brackets; white space is collapsed. Linear in the length.
[[nodiscard]] std::string Sanitize(std::string_view text);

/// Whether the text tells somebody to do something: one of "instruction(s)", "command(s)", "execute", "run", "do",
/// "perform" as a whole word.
[[nodiscard]] bool InstructionsPresent(std::string_view text);

}  // namespace seedcore::cognitive
