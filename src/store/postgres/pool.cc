#include "store/postgres/pool.h"

#include <utility>

namespace seedcore::store::postgres {

Result<void> Pool::AwaitOne(std::unique_lock<std::mutex>& lock) {
  const auto ready = [&] { return !free_.empty() || made_ < size_; };
  if (ready() || env_.WaitUntil(lock, returned_, env_.Now() + max_wait_, {}, ready)) return {};
  return Fail(ErrorCode::kResourceExhausted, "every connection to PostgreSQL is busy; try again later");
}

Result<Pool::Loan> Pool::Take() {
  {
    std::unique_lock lock(mutex_);
    SEEDCORE_RETURN_IF_ERROR(AwaitOne(lock));
    while (!free_.empty()) {
      std::unique_ptr<Connection> connection = std::move(free_.back());
      free_.pop_back();
      if (connection->IsUsableUnasked()) return Loan(*this, std::move(connection), true);
      --made_;
    }
    ++made_;
  }
  return Make();
}

Result<Pool::Loan> Pool::TakeInsteadOf(Loan broken) {
  {
    const Loan dropped = std::move(broken);
  }
  std::unique_ptr<Connection> in_its_way;  // closed without the lock
  {
    std::unique_lock lock(mutex_);
    SEEDCORE_RETURN_IF_ERROR(AwaitOne(lock));
    made_ -= static_cast<int>(std::erase_if(free_, [](const auto& idle) { return !idle->IsUsableUnasked(); }));
    if (made_ == size_) {
      in_its_way = std::move(free_.back());
      free_.pop_back();
      --made_;
    }
    ++made_;
  }
  returned_.notify_all();
  return Make();
}

Result<Pool::Loan> Pool::Make() {
  auto made = Connection::Open(settings_);
  if (made) return Loan(*this, std::move(*made), false);
  {
    const std::scoped_lock lock(mutex_);
    --made_;
  }
  returned_.notify_one();
  return Fail(ErrorCode::kUnavailable, std::move(made.error().message));
}

void Pool::GiveBack(std::unique_ptr<Connection> connection) {
  const bool keep = connection->IsUsable() && !connection->InTransaction();
  if (!keep) connection.reset();
  {
    const std::scoped_lock lock(mutex_);
    if (keep) {
      free_.push_back(std::move(connection));
    } else {
      --made_;
    }
  }
  returned_.notify_one();
}

}  // namespace seedcore::store::postgres
