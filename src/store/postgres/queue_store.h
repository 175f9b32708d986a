#pragma once

#include <set>
#include <string>
#include <vector>

#include "store/admission.h"
#include "store/postgres/database.h"

namespace seedcore::store::postgres {

class PostgresQueueStore final : public QueueStore {
 public:
  explicit PostgresQueueStore(Database& database) : database_(database) {}

  Result<void> PutLimit(const QueueLimit& limit) override;
  Result<bool> DeleteLimit(LimitScope scope, const std::string& name) override;
  Result<std::vector<QueueLimit>> Limits() override;
  Result<QueuePause> Pause(const std::string& type, const std::string& reason) override;
  Result<bool> Resume(const std::string& type) override;
  Result<std::vector<QueuePause>> Pauses() override;
  Result<void> AddExternalTypes(std::span<const std::string> types) override;
  Result<bool> RemoveExternalType(const std::string& type) override;
  Result<std::vector<ExternalType>> ExternalTypes() override;
  Result<std::vector<QueueCounts>> Queues() override;

 private:
  Database& database_;
};

[[nodiscard]] Result<std::vector<LimitState>> ReadLimits(Connection& connection);
/// The limits of `types` and of every key. Those of types and those with a rate are locked until the transaction ends:
/// one claim at a time decides about them.
[[nodiscard]] Result<std::vector<LimitState>> LockLimits(Connection& connection, const std::set<std::string>& types);
[[nodiscard]] Result<std::vector<QueuePause>> ReadPauses(Connection& connection);

/// Lets `room` parked tasks of `key` out, or as many as there are.
[[nodiscard]] Result<int> UnparkKey(WriteContext& context, const std::string& key, int room);
/// The same for the next `max_keys` keys after `cursor` that have room.
[[nodiscard]] Result<void> Unpark(WriteContext& context, Admission& admission, int max_keys, std::string& cursor);

}  // namespace seedcore::store::postgres
