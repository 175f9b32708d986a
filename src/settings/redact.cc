#include "settings/redact.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace seedcore::settings {
namespace {

constexpr std::array<std::string_view, 7> kSecretKeys{"password", "passwd", "pwd",   "sslpassword",
                                                      "token",    "secret", "apikey"};

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// "scheme://user:password@": everything from the colon of the user info to the last @ of the authority. A password may
/// hold an unescaped slash or @, so the authority is taken to reach to the last @ before white space or a query.
std::string RedactUserInfo(std::string text) {
  for (std::size_t from = 0;;) {
    const std::size_t scheme = text.find("://", from);
    if (scheme == std::string::npos) return text;
    const std::size_t begin = scheme + 3;
    const std::size_t end = std::min(text.find_first_of(" \t\n,", begin), text.size());
    const std::size_t query = std::min(text.find('?', begin), end);
    std::size_t at = text.substr(begin, query - begin).rfind('@');
    if (at == std::string::npos) at = text.substr(begin, end - begin).rfind('@');
    from = begin;
    if (at == std::string::npos) continue;
    at += begin;
    const std::size_t colon = text.find(':', begin);
    if (colon >= at) continue;  // a user without a password
    text.replace(colon + 1, at - colon - 1, kRedacted);
    from = colon + kRedacted.size() + 1;
  }
}

/// The end of a value that starts at `begin`: a quoted one, libpq style, ends at its quote.
std::size_t ValueEnd(const std::string& text, std::size_t begin) {
  if (begin < text.size() && text[begin] == '\'') {
    for (std::size_t i = begin + 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '\'') {
        return i + 1;
      }
    }
    return text.size();
  }
  return std::min(text.find_first_of("& \t\n", begin), text.size());
}

std::string RedactKeys(std::string text) {
  for (std::size_t equals = text.find('='); equals != std::string::npos; equals = text.find('=', equals + 1)) {
    std::size_t key_end = equals;
    while (key_end > 0 && text[key_end - 1] == ' ') --key_end;  // libpq allows "password = x"
    std::size_t key_begin = key_end;
    while (key_begin > 0 && IsNameByte(text[key_begin - 1])) --key_begin;
    const std::string key = ToLower(std::string_view(text).substr(key_begin, key_end - key_begin));
    if (std::ranges::find(kSecretKeys, key) == kSecretKeys.end()) continue;
    std::size_t begin = equals + 1;
    while (begin < text.size() && text[begin] == ' ') ++begin;
    const std::size_t end = ValueEnd(text, begin);
    if (end > begin) text.replace(begin, end - begin, kRedacted);
  }
  return text;
}

}  // namespace

std::string RedactPasswords(std::string_view text) { return RedactKeys(RedactUserInfo(std::string(text))); }

}  // namespace seedcore::settings
