#include "net/sse_parser.h"

namespace seedcore::net {

Result<bool> SseParser::Feed(std::string_view bytes, const EventCallback& callback) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);  // CR LF is one line end, wherever the pieces part
    after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    line_ += bytes.substr(0, end);
    if (line_.size() + data_.size() > kMaxEventBytes) {
      return Fail(ErrorCode::kPayloadTooLarge, "an event of the stream is too large");
    }
    if (end == std::string_view::npos) return true;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    const bool go_on = TakeLine(line_, callback);
    line_.clear();
    if (!go_on) return false;
  }
  return true;
}

bool SseParser::TakeLine(std::string_view line, const EventCallback& callback) {
  if (line.empty()) {
    bool go_on = true;
    if (!data_.empty()) {
      data_.pop_back();  // the line break after the last data line
      go_on = callback({.event = event_.empty() ? "message" : std::string_view(event_), .data = data_, .id = id_});
    }
    event_.clear();
    data_.clear();
    return go_on;
  }
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") data_.append(value).append("\n");
  if (name == "event") event_ = value;
  if (name == "id" && value.find('\0') == std::string_view::npos) id_ = value;
  return true;
}

}  // namespace seedcore::net
