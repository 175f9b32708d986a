#pragma once

#include "store/admission.h"
#include "store/sqlite/readers.h"
#include "store/sqlite/writer.h"

namespace seedcore::store::sqlite {

class SqliteQueueStore final : public QueueStore {
 public:
  SqliteQueueStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}

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
  Writer& writer_;
  Readers& readers_;
};

/// Whether any limit or pause is in force: one look at two empty tables.
[[nodiscard]] Result<bool> HasLimitsOrPauses(Database& database);
[[nodiscard]] Result<std::vector<LimitState>> ReadLimits(Database& database);
[[nodiscard]] Result<std::vector<QueuePause>> ReadPauses(Database& database);

/// After tasks have ended: where limits are in force, somebody may have waited for their room.
[[nodiscard]] Result<void> NoteRoom(WriteContext& context);
[[nodiscard]] Result<std::int64_t> RunningOfKey(Database& database, const std::string& key);
/// Lets `room` parked tasks of `key` out, or as many as there are.
[[nodiscard]] Result<void> UnparkKey(WriteContext& context, const std::string& key, int room);
/// The same for the next `max_keys` keys after `cursor` that have room.
[[nodiscard]] Result<void> Unpark(WriteContext& context, Admission& admission, int max_keys, std::string& cursor);

}  // namespace seedcore::store::sqlite
