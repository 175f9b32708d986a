#include "store/sqlite/readers.h"

namespace seedcore::store::sqlite {

Readers::Readers(std::vector<Database> connections, std::chrono::milliseconds max_wait, Env& env)
    : connections_(std::move(connections)), max_wait_(max_wait), env_(env) {
  for (Database& connection : connections_) free_.push_back(&connection);
}

Readers::GiveBack::~GiveBack() {
  {
    const std::scoped_lock lock(readers.mutex_);
    readers.free_.push_back(connection);
  }
  readers.returned_.notify_one();
}

Result<Database*> Readers::Take() {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("store.read"));
  std::unique_lock lock(mutex_);
  if (free_.empty() && !env_.WaitUntil(lock, returned_, env_.Now() + max_wait_, {}, [&] { return !free_.empty(); })) {
    return Fail(ErrorCode::kResourceExhausted, "every connection for reading is busy; try again later");
  }
  Database* const connection = free_.back();
  free_.pop_back();
  return connection;
}

}  // namespace seedcore::store::sqlite
