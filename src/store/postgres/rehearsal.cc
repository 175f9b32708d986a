#include "store/postgres/rehearsal.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "store/postgres/plain_submit.h"
#include "store/postgres/task_claim.h"
#include "store/postgres/task_outcomes.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {

Result<void> RehearseTask(WriteContext& context) {
  // A type of its own: processes that rehearse at the same time do not wait for each other.
  const std::string id = context.env.NewId();
  NewTask task;
  task.type = "rehearsal-" + id;
  SEEDCORE_ASSIGN_OR_RETURN(const PreparedTask prepared, PrepareTask(task));
  PlainSubmit submit(context.now);
  submit.Add(prepared, id);
  const Call call = submit.ToCall();
  SEEDCORE_RETURN_IF_ERROR(context.db.Run(call.sql, call.params));

  using namespace std::chrono_literals;
  SEEDCORE_ASSIGN_OR_RETURN(
      std::vector<TaskRow> rows,
      ClaimOwn(context, {.owner_id = "rehearsal", .limit = 1, .lease = 30s, .types = {task.type}}));
  if (rows.empty()) return {};  // limits or pauses are in force, and claims are other statements
  SEEDCORE_ASSIGN_OR_RETURN(Task claimed, ToTask(std::move(rows.front())));
  const Finish finish{.lease = Claim{std::move(claimed)}.lease(), .outcome = Completed{}, .effects = {}};
  const std::string no_result;
  Result<void> answer;
  Outcomes outcomes;
  outcomes.Add(finish, no_result, answer);
  SEEDCORE_RETURN_IF_ERROR(outcomes.Write(context, 500ms));
  return answer;
}

}  // namespace seedcore::store::postgres
