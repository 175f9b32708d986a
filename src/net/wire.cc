#include "net/wire.h"

#include <iterator>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace seedcore::net {
namespace {

void AppendNumber(std::string& out, std::size_t number) {
  const fmt::format_int text(number);
  out.append(text.data(), text.size());
}

void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const std::size_t begin = out.size();
  out += value;
  // A value may carry text of a user; a line break in it would start a field, or a response, of the user's choosing.
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (static_cast<unsigned char>(out[i]) < 0x20 && out[i] != '\t') out[i] = ' ';
  }
  out += "\r\n";
}

/// Fields that say where a response ends; only this file may.
bool IsFraming(std::string_view name) {
  return EqualsIgnoreCase(name, "Content-Length") || EqualsIgnoreCase(name, "Transfer-Encoding") ||
         EqualsIgnoreCase(name, "Connection");
}

bool HasNoBody(int status) { return status == 204 || status == 304 || status < 200; }

/// The text up to the first line break, which no field of an event may contain.
std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find_first_of("\r\n")); }

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Unknown";
  }
}

std::string HttpDate(WallTime time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(seconds));
}

void AppendResponse(std::string& out, const Response& response, const ResponseFrame& frame) {
  const bool streams = frame.chunked_stream || frame.endless_stream;
  if (response.status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
  } else {
    fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status, ReasonPhrase(response.status));
  }
  if (!frame.date.empty()) AppendField(out, "Date", frame.date);
  if (!HasNoBody(response.status)) {
    if (!response.content_type.empty()) AppendField(out, "Content-Type", response.content_type);
    if (frame.chunked_stream) {
      out += "Transfer-Encoding: chunked\r\n";
    } else if (!frame.endless_stream) {
      out += "Content-Length: ";
      AppendNumber(out, response.body.size());
      out += "\r\n";
    }
  }
  if (!frame.request_id.empty()) AppendField(out, "X-Request-ID", frame.request_id);
  if (!frame.traceparent.empty()) AppendField(out, "traceparent", frame.traceparent);
  for (const auto& [name, value] : response.headers.All()) {
    if (!IsFraming(name)) AppendField(out, name, value);
  }
  if (!frame.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!frame.http11) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  if (!frame.head && !streams && !HasNoBody(response.status)) out += response.body;
}

std::string FormatEvent(std::string_view event, std::string_view data, std::string_view id) {
  std::string text;
  text.reserve(event.size() + data.size() + id.size() + 32);
  if (!id.empty()) text.append("id: ").append(FirstLine(id)).append("\n");
  if (!event.empty()) text.append("event: ").append(FirstLine(event)).append("\n");
  while (true) {
    const std::size_t end = data.find_first_of("\r\n");
    text.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  text += '\n';
  return text;
}

void AppendChunk(std::string& out, std::string_view payload) {
  if (payload.empty()) return;
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", payload.size());
  out += payload;
  out += "\r\n";
}

}  // namespace seedcore::net
