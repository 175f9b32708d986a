#include "store/postgres/pool.h"

#include <utility>

namespace seedcore::store::postgres {

Result<Pool::Loan> Pool::Take() {
  {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return !free_.empty() || made_ < size_; };
    if (!ready() && !env_.WaitUntil(lock, returned_, env_.Now() + max_wait_, {}, ready)) {
      return Fail(ErrorCode::kResourceExhausted, "every connection to PostgreSQL is busy; try again later");
    }
    while (!free_.empty()) {
      std::unique_ptr<Connection> connection = std::move(free_.back());
      free_.pop_back();
      if (connection->IsUsable()) return Loan(*this, std::move(connection));
      --made_;
    }
    ++made_;
  }
  auto made = Connection::Open(settings_);
  if (made) return Loan(*this, std::move(*made));
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
