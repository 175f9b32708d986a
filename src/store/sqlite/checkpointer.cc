#include "store/sqlite/checkpointer.h"

#include <utility>

#include "base/log.h"

namespace seedcore::store::sqlite {

Checkpointer::Checkpointer(Database connection, int pages, Env& env)
    : db_(std::move(connection)), pages_(pages), env_(env), thread_([this] { Loop(); }) {}

Checkpointer::~Checkpointer() {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
  }
  work_.notify_one();
}

bool Checkpointer::Committed(int log_pages) {
  if (log_pages < begun_at_) begun_at_ = 0;  // the log has begun anew
  if (log_pages >= 2 * kLong * pages_) running_.wait(true);
  if (running_.load()) return false;
  if (begun_at_ >= kLong * pages_) return true;
  if (log_pages - begun_at_ < pages_) return false;
  begun_at_ = log_pages;
  {
    const std::scoped_lock lock(mutex_);
    running_.store(true);
  }
  work_.notify_one();
  return false;
}

void Checkpointer::Loop() {
  bool complained = false;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return closing_ || running_.load(); });
      if (closing_) return;
    }
    const auto copied = Copy();
    if (!copied && !complained) {
      log::Warning("the write-ahead log cannot be copied into the database; it grows until it can",
                   {{"error", copied.error().message}});
    }
    complained = !copied;
    running_.store(false);
    running_.notify_one();
  }
}

Result<void> Checkpointer::Copy() {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("store.checkpoint"));
  return db_.Checkpoint();
}

}  // namespace seedcore::store::sqlite
