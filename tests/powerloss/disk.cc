#include "powerloss/disk.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <stdexcept>
#include <utility>

#include <sqlite3.h>

namespace seedcore::test {
namespace {

constexpr std::int64_t kSector = 512;

sqlite3_vfs* g_real = nullptr;
Disk* g_disk = nullptr;

/// What SQLite holds of an open file; the real one lies right behind it.
struct Handle {
  sqlite3_file base;
  std::shared_ptr<Disk::File>* file;  // null: passes through
};

sqlite3_file* Real(sqlite3_file* handle) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(handle) + sizeof(Handle));
}
Disk::File* Watched(sqlite3_file* handle) {
  auto* const file = reinterpret_cast<Handle*>(handle)->file;
  return file == nullptr ? nullptr : file->get();
}

int Close(sqlite3_file* handle) {
  delete std::exchange(reinterpret_cast<Handle*>(handle)->file, nullptr);
  return Real(handle)->pMethods->xClose(Real(handle));
}
int Read(sqlite3_file* handle, void* into, int size, sqlite3_int64 offset) {
  return Real(handle)->pMethods->xRead(Real(handle), into, size, offset);
}
int Write(sqlite3_file* handle, const void* from, int size, sqlite3_int64 offset) {
  Disk::File* const file = Watched(handle);
  if (file == nullptr) return Real(handle)->pMethods->xWrite(Real(handle), from, size, offset);
  if (g_disk->Fails(Disk::Call::kWrite)) return offset / kSector % 2 == 0 ? SQLITE_IOERR_WRITE : SQLITE_FULL;
  const auto* const bytes = static_cast<const char*>(from);
  g_disk->Note(*file, {.offset = offset, .bytes = {bytes, bytes + size}});
  return Real(handle)->pMethods->xWrite(Real(handle), from, size, offset);
}
int Truncate(sqlite3_file* handle, sqlite3_int64 size) {
  if (Disk::File* const file = Watched(handle)) g_disk->Note(*file, {.offset = size, .bytes = {}, .truncates = true});
  return Real(handle)->pMethods->xTruncate(Real(handle), size);
}
int Sync(sqlite3_file* handle, int flags) {
  Disk::File* const file = Watched(handle);
  if (file != nullptr && g_disk->Fails(Disk::Call::kSync)) return SQLITE_IOERR_FSYNC;
  const int code = Real(handle)->pMethods->xSync(Real(handle), flags);
  if (file != nullptr && code == SQLITE_OK) g_disk->Synced(*file);
  return code;
}
int FileSize(sqlite3_file* handle, sqlite3_int64* size) {
  return Real(handle)->pMethods->xFileSize(Real(handle), size);
}
int Lock(sqlite3_file* handle, int level) { return Real(handle)->pMethods->xLock(Real(handle), level); }
int Unlock(sqlite3_file* handle, int level) { return Real(handle)->pMethods->xUnlock(Real(handle), level); }
int CheckReservedLock(sqlite3_file* handle, int* out) {
  return Real(handle)->pMethods->xCheckReservedLock(Real(handle), out);
}
int FileControl(sqlite3_file* handle, int operation, void* argument) {
  return Real(handle)->pMethods->xFileControl(Real(handle), operation, argument);
}
int SectorSize(sqlite3_file* handle) { return Real(handle)->pMethods->xSectorSize(Real(handle)); }
int DeviceCharacteristics(sqlite3_file* handle) { return Real(handle)->pMethods->xDeviceCharacteristics(Real(handle)); }
int ShmMap(sqlite3_file* handle, int page, int size, int extend, void volatile** out) {
  return Real(handle)->pMethods->xShmMap(Real(handle), page, size, extend, out);
}
int ShmLock(sqlite3_file* handle, int offset, int n, int flags) {
  const bool takes = (flags & SQLITE_SHM_LOCK) != 0 && (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if (takes && Watched(handle) != nullptr && g_disk->Fails(Disk::Call::kLock)) return SQLITE_BUSY;
  return Real(handle)->pMethods->xShmLock(Real(handle), offset, n, flags);
}
void ShmBarrier(sqlite3_file* handle) { Real(handle)->pMethods->xShmBarrier(Real(handle)); }
int ShmUnmap(sqlite3_file* handle, int remove) { return Real(handle)->pMethods->xShmUnmap(Real(handle), remove); }

// Version 2: no memory-mapped reading, which would pass us by.
const sqlite3_io_methods kMethods{2,
                                  Close,
                                  Read,
                                  Write,
                                  Truncate,
                                  Sync,
                                  FileSize,
                                  Lock,
                                  Unlock,
                                  CheckReservedLock,
                                  FileControl,
                                  SectorSize,
                                  DeviceCharacteristics,
                                  ShmMap,
                                  ShmLock,
                                  ShmBarrier,
                                  ShmUnmap,
                                  nullptr,
                                  nullptr};

int OpenFile(sqlite3_vfs*, const char* path, sqlite3_file* handle, int flags, int* out_flags) {
  auto* const ours = new (handle) Handle{};
  const int code = g_real->xOpen(g_real, path, Real(handle), flags, out_flags);
  if (Real(handle)->pMethods == nullptr) return code;
  ours->base.pMethods = &kMethods;
  if (code == SQLITE_OK && path != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0) {
    if (auto file = g_disk->Open(path)) ours->file = new std::shared_ptr<Disk::File>(std::move(file));
  }
  return code;
}
int DeleteFile(sqlite3_vfs*, const char* path, int sync_directory) {
  g_disk->Forget(path);
  return g_real->xDelete(g_real, path, sync_directory);
}

void Apply(std::vector<char>& image, std::int64_t offset, const char* bytes, std::int64_t size) {
  if (static_cast<std::int64_t>(image.size()) < offset + size) image.resize(static_cast<std::size_t>(offset + size));
  std::memcpy(image.data() + offset, bytes, static_cast<std::size_t>(size));
}

void Apply(std::vector<char>& image, const Disk::Change& change) {
  if (change.truncates) {
    if (change.offset < static_cast<std::int64_t>(image.size())) image.resize(static_cast<std::size_t>(change.offset));
  } else {
    Apply(image, change.offset, change.bytes.data(), static_cast<std::int64_t>(change.bytes.size()));
  }
}

}  // namespace

Disk& Disk::Install() {
  static Disk disk;
  static sqlite3_vfs vfs = [] {
    g_real = sqlite3_vfs_find(nullptr);
    g_disk = &disk;
    sqlite3_vfs ours = *g_real;
    ours.zName = "disk";
    ours.szOsFile = static_cast<int>(sizeof(Handle)) + g_real->szOsFile;
    ours.pNext = nullptr;
    ours.xOpen = OpenFile;
    ours.xDelete = DeleteFile;
    return ours;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 1);
  static_cast<void>(registered);
  return disk;
}

void Disk::Watch(const std::string& folder) {
  const std::scoped_lock lock(mutex_);
  folder_ = std::filesystem::absolute(folder).lexically_normal().string();  // as SQLite names its files
  files_.clear();
}

std::shared_ptr<Disk::File> Disk::Open(const char* path) {
  const std::scoped_lock lock(mutex_);
  const std::filesystem::path name(path);
  if (folder_.empty() || name.parent_path() != std::filesystem::path(folder_)) return nullptr;
  auto& file = files_[name.filename()];
  if (file == nullptr) {
    file = std::make_shared<File>();
    std::ifstream in(name, std::ios::binary);
    file->durable.assign(std::istreambuf_iterator<char>(in), {});
  }
  return file;
}

void Disk::Forget(const char* path) {
  const std::scoped_lock lock(mutex_);
  const std::filesystem::path name(path);
  if (name.parent_path() == std::filesystem::path(folder_)) files_.erase(name.filename());
}

void Disk::Note(File& file, Change change) {
  const std::scoped_lock lock(mutex_);
  file.changes.push_back(std::move(change));
}

void Disk::Synced(File& file) {
  const std::scoped_lock lock(mutex_);
  for (const Change& change : file.changes) Apply(file.durable, change);
  file.changes.clear();
}

bool Disk::Fails(Call call) {
  const std::scoped_lock lock(mutex_);
  const double share = call == Call::kWrite ? faults_.write : call == Call::kSync ? faults_.sync : faults_.lock;
  if (share <= 0.0 || std::uniform_real_distribution<double>()(random_) >= share) return false;
  ++failures_;
  return true;
}

void Disk::Fail(Faults faults) {
  const std::scoped_lock lock(mutex_);
  faults_ = faults;
}

std::int64_t Disk::failures() const {
  const std::scoped_lock lock(mutex_);
  return failures_;
}

void Disk::CutPower(const std::string& folder, std::mt19937_64& random) {
  std::filesystem::create_directories(folder);
  const std::scoped_lock lock(mutex_);
  // Sometimes nothing of the unsynced survives, sometimes all of it, mostly some.
  const auto chance = static_cast<double>(random() % 5) / 4.0;
  for (const auto& [name, file] : files_) {
    std::vector<char> image = file->durable;
    for (const Change& change : file->changes) {
      if (std::uniform_real_distribution<double>()(random) >= chance) continue;
      const auto size = static_cast<std::int64_t>(change.bytes.size());
      if (change.truncates || size <= kSector || random() % 4 != 0) {
        Apply(image, change);
        continue;
      }
      // Torn: each sector by itself arrives or does not.
      for (std::int64_t at = 0; at < size; at += kSector) {
        if (random() % 2 == 0) continue;
        Apply(image, change.offset + at, change.bytes.data() + at, std::min(kSector, size - at));
      }
    }
    std::ofstream out(std::filesystem::path(folder) / name, std::ios::binary);
    out.write(image.data(), static_cast<std::streamsize>(image.size()));
    if (!out) throw std::runtime_error("cannot write the image of " + name);
  }
}

}  // namespace seedcore::test
