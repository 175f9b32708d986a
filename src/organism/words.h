#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace seedcore::organism {

/// The words of `text`, ASCII lower case: runs of letters, digits and bytes beyond ASCII. An apostrophe inside a word
/// is dropped ("what's" is "whats"). At most `max_words`.
[[nodiscard]] std::vector<std::string> Words(std::string_view text, std::size_t max_words = 256);

/// Words that carry no meaning of their own in a question or an order.
[[nodiscard]] bool IsStopWord(std::string_view word);

/// `words` without stop words.
[[nodiscard]] std::vector<std::string> ContentWords(const std::vector<std::string>& words);

/// Share of `wanted` that occur among the words of `text`, [0, 1]; 0 when nothing is wanted.
[[nodiscard]] double Coverage(const std::vector<std::string>& wanted, std::string_view text);

}  // namespace seedcore::organism
