#pragma once

#include "store/schedule_store.h"
#include "store/sqlite/readers.h"
#include "store/sqlite/writer.h"

namespace seedcore::store::sqlite {

class SqliteScheduleStore final : public ScheduleStore {
 public:
  SqliteScheduleStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}

  Result<Schedule> PutSchedule(const Schedule& schedule) override;
  Result<bool> DeleteSchedule(const std::string& name) override;
  Result<Schedule> GetSchedule(const std::string& name) override;
  Result<std::vector<Schedule>> Schedules() override;
  Result<Schedule> MoveSchedule(const std::string& name, std::optional<WallTime> next) override;
  Result<std::vector<Schedule>> DueSchedules(WallTime now, int limit) override;
  Result<std::optional<WallTime>> NextFiring() override;
  Result<Fired> Fire(const Firing& firing) override;
  Subscription OnSchedules(std::function<void()> listener) override;

 private:
  Writer& writer_;
  Readers& readers_;
  Signal changed_;
};

}  // namespace seedcore::store::sqlite
