#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Standard output as a person sees it. Single-threaded: only the main thread prints.
namespace seedcore::cli {

enum class Color { kNone, kBold, kDim, kRed, kGreen, kYellow, kCyan };

/// `text` in color when standard output is a terminal and NO_COLOR is not set; as it is otherwise.
[[nodiscard]] std::string Paint(Color color, std::string_view text);
/// Whether standard output is a terminal.
[[nodiscard]] bool IsTerminal();
/// Left-aligned to `width` columns; counts code points, so that an accent does not shift the table.
[[nodiscard]] std::string Pad(std::string_view text, std::size_t width);
/// `text` in one line of at most `width` bytes (3 or more), never cut within a character.
[[nodiscard]] std::string Cut(std::string text, std::size_t width);
/// How much of an id tables show. The first 13 characters are its time: what comes in the same millisecond shares them.
inline constexpr std::size_t kShortIdLength = 23;
/// "812 us", "12.3 ms", "4.1 s".
[[nodiscard]] std::string HumanDuration(double milliseconds);

/// A line that is redrawn while something takes longer than a second. Draws nothing when standard error is no terminal.
class Progress {
 public:
  explicit Progress(std::string label) : label_(std::move(label)) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void Update(std::size_t done, std::size_t total);

 private:
  std::string label_;
  bool drawn_ = false;
};

}  // namespace seedcore::cli
