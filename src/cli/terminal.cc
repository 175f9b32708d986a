#include "cli/terminal.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include <fmt/format.h>

namespace seedcore::cli {
namespace {

const char* Code(Color color) {
  switch (color) {
    case Color::kNone: return "";
    case Color::kBold: return "1";
    case Color::kDim: return "2";
    case Color::kRed: return "31";
    case Color::kGreen: return "32";
    case Color::kYellow: return "33";
    case Color::kCyan: return "36";
  }
  return "";
}

constexpr std::size_t kBarWidth = 30;

}  // namespace

bool IsTerminal() { return isatty(STDOUT_FILENO) != 0; }

std::string Paint(Color color, std::string_view text) {
  static const bool enabled = IsTerminal() && std::getenv("NO_COLOR") == nullptr;
  if (!enabled || color == Color::kNone) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", Code(color), text);
}

std::string Pad(std::string_view text, std::size_t width) {
  const auto columns = static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  std::string padded(text);
  if (columns < width) padded.append(width - columns, ' ');
  return padded;
}

std::string Cut(std::string text, std::size_t width) {
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  if (text.size() <= width) return text;
  // Never in the middle of a UTF-8 sequence.
  std::size_t end = width - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string HumanDuration(double milliseconds) {
  if (milliseconds < 1.0) return fmt::format("{:.0f} us", milliseconds * 1000.0);
  if (milliseconds < 1000.0) return fmt::format("{:.1f} ms", milliseconds);
  return fmt::format("{:.1f} s", milliseconds / 1000.0);
}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::Update(std::size_t done, std::size_t total) {
  if (isatty(STDERR_FILENO) == 0 || total == 0) return;
  drawn_ = true;
  const std::size_t filled = kBarWidth * std::min(done, total) / total;
  fmt::print(stderr, "\r\x1b[K{} [{:#<{}}{:.<{}}] {}/{}", label_, "", filled, "", kBarWidth - filled, done, total);
  std::fflush(stderr);
}

}  // namespace seedcore::cli
