#pragma once

#include "store/postgres/database.h"
#include "store/schedule_store.h"

namespace seedcore::store::postgres {

class PostgresScheduleStore final : public ScheduleStore {
 public:
  explicit PostgresScheduleStore(Database& database) : database_(database) {}

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
  Database& database_;
  Signal changed_;
};

}  // namespace seedcore::store::postgres
