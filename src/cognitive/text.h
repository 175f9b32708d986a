#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

/// Text as retrieval and reasoning see it: words, sentences, overlap. Everything here is a pure function.
namespace seedcore::cognitive {

using WordSet = std::set<std::string, std::less<>>;

/// Runs of letters and digits in lower case, in order. Bytes above ASCII count as letters.
[[nodiscard]] std::vector<std::string> Words(std::string_view text);

/// Words that carry meaning: stop words left out, plurals reduced to the singular.
[[nodiscard]] WordSet ContentWords(std::string_view text);

/// |a ∩ b| / |a ∪ b|; 0 when both are empty.
[[nodiscard]] double Jaccard(const WordSet& a, const WordSet& b);
[[nodiscard]] std::size_t SharedWords(const WordSet& a, const WordSet& b);

/// Pieces that end with . ! ? ; or a line break, trimmed. A dot inside a number or a name does not end one.
[[nodiscard]] std::vector<std::string> Sentences(std::string_view text);

/// max(1, bytes / 3.5), P§5.4 no. 6.
[[nodiscard]] int EstimateTokens(std::string_view text);

/// The strings and numbers of a JSON value with the names they stand under, as one text: {"a": {"b": 3}} is "a b 3". At
/// most `max_bytes` long.
[[nodiscard]] std::string FlattenJson(const json::value& value, std::size_t max_bytes = 8192);

/// At most `max_bytes`, cut between characters, with "..." where something was cut.
[[nodiscard]] std::string Shorten(std::string_view text, std::size_t max_bytes);

/// "a, b and c".
[[nodiscard]] std::string JoinWords(const std::vector<std::string>& parts);

/// "1 anomaly", "3 anomalies".
[[nodiscard]] std::string Counted(std::size_t count, std::string_view singular, std::string_view plural);

}  // namespace seedcore::cognitive
