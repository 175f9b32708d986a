#pragma once

#include <filesystem>
#include <system_error>

#include "base/env.h"

namespace seedcore::cli {

/// The path of a folder of our own below `parent`, for whoever makes it; removed at the end with what is in it.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& parent) : path_(parent / ("seedcore-" + RealEnv().NewId())) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace seedcore::cli
