#include "store/sqlite/file_lock.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::store::sqlite {
namespace {

std::string ReadHolder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t length = ::pread(descriptor, text.data(), text.size(), 0);
  if (length <= 0) return "unknown";
  return std::string(Trim(std::string_view(text.data(), static_cast<std::size_t>(length))));
}

}  // namespace

Result<FileLock> FileLock::Acquire(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("cannot write in the data directory: {}", std::generic_category().message(errno)), path);
  }
  FileLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("another process (pid {}) has this store open; stop it, or use another data directory",
                            ReadHolder(descriptor)),
                path);
  }
  const std::string holder = fmt::format("{}\n", ::getpid());
  // The process id only makes the message above better; the lock holds without it, on a full disk too.
  if (::ftruncate(descriptor, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(descriptor, holder.data(), holder.size(), 0);
  }
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

}  // namespace seedcore::store::sqlite
