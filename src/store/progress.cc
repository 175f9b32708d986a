#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/store.h"

namespace seedcore::store {
namespace {

constexpr std::size_t kMaxNoteBytes = 1000;
constexpr std::size_t kMaxDataBytes = 8192;

struct Written {
  double fraction = 0.0;
  std::string note;
  json::value data;
  static constexpr auto kFields =
      Fields(Required("fraction", &Written::fraction, "0 to 1"), Optional("note", &Written::note, "For people"),
             Optional("data", &Written::data, "Anything small"));
};

}  // namespace

Result<void> CheckProgress(const Progress& progress) {
  if (!(progress.fraction >= 0.0 && progress.fraction <= 1.0)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 0 to 1, got {}", progress.fraction), "fraction");
  }
  if (progress.note.size() > kMaxNoteBytes) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("longer than {} bytes", kMaxNoteBytes), "note");
  }
  if (WriteJson(progress.data).size() > kMaxDataBytes) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("longer than {} bytes as text", kMaxDataBytes), "data");
  }
  return {};
}

std::string WriteProgress(const Progress& progress) {
  return ToJsonText(Written{progress.fraction, progress.note, progress.data});
}

Result<Progress> ReadProgress(std::string_view detail) {
  auto written = FromJsonText<Written>(detail);
  if (!written) return Fail(ErrorCode::kCorrupt, "a stored progress is damaged: " + ToString(written.error()));
  return Progress{written->fraction, std::move(written->note), std::move(written->data)};
}

}  // namespace seedcore::store
