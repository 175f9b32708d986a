#include "store/sqlite/file_lock.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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

/// Whoever had the lock before may have removed the file with the store that it had made; the next one then locks
/// another file.
bool IsRemoved(int descriptor) {
  struct stat found{};
  return ::fstat(descriptor, &found) == 0 && found.st_nlink == 0;
}

}  // namespace

Result<FileLock> FileLock::Open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("cannot write in the data directory: {}", std::generic_category().message(errno)), path);
  }
  return FileLock(descriptor);
}

void FileLock::WriteHolder() const {
  const std::string holder = fmt::format("{}\n", ::getpid());
  // The process id only makes messages better; the lock holds without it, on a full disk too.
  if (::ftruncate(descriptor_, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(descriptor_, holder.data(), holder.size(), 0);
  }
}

Result<FileLock> FileLock::Acquire(const std::string& path, Mode mode) {
  SEEDCORE_ASSIGN_OR_RETURN(FileLock lock, Open(path));
  const int operation = mode == Mode::kShared ? LOCK_SH : LOCK_EX;
  if (::flock(lock.descriptor_, operation | LOCK_NB) != 0) {
    const char* advice = mode == Mode::kShared
                             ? "another process (pid {}) has this store for itself; stop it, or start it with "
                               "store.shared too"
                             : "another process (pid {}) has this store open; stop it, or use another data directory";
    return Fail(ErrorCode::kUnavailable, fmt::format(fmt::runtime(advice), ReadHolder(lock.descriptor_)), path);
  }
  if (IsRemoved(lock.descriptor_)) {
    return Fail(ErrorCode::kUnavailable, "another process has just removed this store; try again", path);
  }
  lock.WriteHolder();
  return lock;
}

Result<FileLock> FileLock::AcquireWithin(const std::string& path, std::chrono::milliseconds patience, Env& env) {
  constexpr auto kPause = std::chrono::milliseconds(5);
  SEEDCORE_ASSIGN_OR_RETURN(FileLock lock, Open(path));
  const Instant deadline = env.Now() + patience;
  while (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (env.Now() >= deadline) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("another process (pid {}) is opening this store and does not get done",
                              ReadHolder(lock.descriptor_)),
                  path);
    }
    env.SleepFor(kPause, {});
  }
  lock.WriteHolder();
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

}  // namespace seedcore::store::sqlite
