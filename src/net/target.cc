#include "net/target.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace seedcore::net {
namespace {

constexpr std::size_t kMaxQueryParameters = 256;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Part { kSegment, kQuery };

/// Appends `text` decoded. The message names what is wrong, never the bytes themselves: they may be anything.
Result<void> Decode(std::string_view text, Part part, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 1 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return Fail(ErrorCode::kMalformed, "bad percent escape in the request target");
      c = static_cast<char>(high * 16 + low);
      i += 2;
      if (part == Part::kSegment && (c == '/' || c == '\\')) {
        return Fail(ErrorCode::kMalformed, "encoded slash in the request path");
      }
    } else if (part == Part::kQuery && c == '+') {
      c = ' ';
    }
    const auto byte = static_cast<unsigned char>(c);
    // Line breaks and tabs are honest content of a query value; NUL and the other controls are not.
    const bool text_control = part == Part::kQuery && (c == '\n' || c == '\r' || c == '\t');
    if ((byte < 0x20 && !text_control) || byte == 0x7f) {
      return Fail(ErrorCode::kMalformed, "control character in the request target");
    }
    out += c;
  }
  return {};
}

bool NeedsDecoding(std::string_view path) {
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '%' || byte <= 0x20 || byte >= 0x7f) return true;
  }
  return false;
}

Result<void> AppendSegment(std::string_view raw, std::string& path) {
  if (raw.empty()) return {};
  const std::size_t begin = path.size() + 1;
  path += '/';
  if (NeedsDecoding(raw)) {
    SEEDCORE_RETURN_IF_ERROR(Decode(raw, Part::kSegment, path));
    if (!IsUtf8(std::string_view(path).substr(begin))) {
      return Fail(ErrorCode::kMalformed, "the request path is not UTF-8");
    }
  } else {
    path += raw;
  }
  const std::string_view segment = std::string_view(path).substr(begin);
  if (segment == "." || segment == "..") return Fail(ErrorCode::kMalformed, "dot segment in the request path");
  return {};
}

}  // namespace

Result<void> ParseTarget(std::string_view target, Target& out) {
  out.path.clear();
  out.query.clear();
  if (target.empty() || target.front() != '/') {
    return Fail(ErrorCode::kMalformed, "the request target must be a path that starts with '/'");
  }
  if (target.find('#') != std::string_view::npos) {
    return Fail(ErrorCode::kMalformed, "fragment in the request target");
  }
  const std::size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::size_t end = path.find('/');
    SEEDCORE_RETURN_IF_ERROR(AppendSegment(path.substr(0, end), out.path));
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  }
  if (out.path.empty()) out.path = "/";
  if (question == std::string_view::npos) return {};
  return ParseQuery(target.substr(question + 1), out.query);
}

Result<void> ParseQuery(std::string_view query, std::multimap<std::string, std::string>& out) {
  out.clear();
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (pair.empty()) continue;
    if (out.size() == kMaxQueryParameters) return Fail(ErrorCode::kMalformed, "too many query parameters");
    const std::size_t equals = pair.find('=');
    std::string name;
    std::string value;
    SEEDCORE_RETURN_IF_ERROR(Decode(pair.substr(0, equals), Part::kQuery, name));
    if (equals != std::string_view::npos) {
      SEEDCORE_RETURN_IF_ERROR(Decode(pair.substr(equals + 1), Part::kQuery, value));
    }
    if (!IsUtf8(name) || !IsUtf8(value)) return Fail(ErrorCode::kMalformed, "the query is not UTF-8");
    out.emplace(std::move(name), std::move(value));
  }
  return {};
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                            c == '.' || c == '_' || c == '~';
    if (unreserved) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kHex[byte >> 4U];
      encoded += kHex[byte & 15U];
    }
  }
  return encoded;
}

std::string HostPort::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<HostPort> ParseHostPort(std::string_view text) {
  const auto bad = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not HOST:PORT, for example 127.0.0.1:8000 or [::1]:8000", text));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return bad();
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();  // an IPv6 address without brackets can't be told from its port
  }
  return HostPort{host.empty() ? "127.0.0.1" : std::string(host), port};
}

Result<BaseUrl> ParseBaseUrl(std::string_view text) {
  std::string_view rest = text;
  bool tls = false;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    tls = rest.substr(0, scheme) == "https";
    if (!tls && rest.substr(0, scheme) != "http") {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}': expected an http or https URL", text));
    }
    rest.remove_prefix(scheme + 3);
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string authority(rest.substr(0, slash));
  std::string_view prefix = rest.substr(slash);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  const bool bad_character = text.find_first_of(" \t\r\n?#@") != std::string_view::npos;
  if (authority.empty() || authority.front() == ':' || bad_character) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not a base URL, for example http://127.0.0.1:8000", text));
  }
  const bool bracketed = authority.back() == ']';
  if (bracketed || authority.find(':') == std::string::npos) authority += tls ? ":443" : ":80";
  SEEDCORE_ASSIGN_OR_RETURN(HostPort where, ParseHostPort(authority));
  return BaseUrl{std::move(where), tls, std::string(prefix)};
}

bool IsUtf8(std::string_view text) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  while (i < text.size()) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0U) != 0x80) return false;
    }
    const unsigned second = byte(i + 1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += length;
  }
  return true;
}

}  // namespace seedcore::net
