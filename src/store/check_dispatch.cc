#include <array>

#include "store/check_rules.h"

namespace seedcore::store {
namespace {

#define SEEDCORE_STEP "SELECT CAST(s.task_seq AS TEXT) AS id FROM task_step s "
#define SEEDCORE_SCHEDULE "SELECT s.name AS id FROM schedule s "

constexpr std::array kDispatchRules = {
    // The numbers are those of turn.h.
    Rule{"a task that can run has its turn",
         SEEDCORE_TASK "WHERE t.runnable IN (1, 4) AND (t.turn IS NULL OR t.turn < (10 - t.priority) * 1000000)"},
    Rule{"a flow has given turns of its priority only",
         "SELECT f.type AS id FROM queue_flow f WHERE f.last_turn < (10 - f.priority) * 1000000"},
    Rule{"each claim of a task has a token of its own",
         SEEDCORE_TASK "JOIN task_history e ON e.task_seq = t.seq WHERE e.kind = 'claimed' GROUP BY t.id, "
                       "e.fencing_token HAVING count(*) > 1"},
    Rule{"progress is reported by a running execution",
         SEEDCORE_TASK "JOIN task_history e ON e.task_seq = t.seq WHERE e.kind = 'progress' AND (e.status <> 'running' "
                       "OR e.fencing_token < 1 OR e.fencing_token > t.fencing_token)"},
    Rule{"progress comes before the end of its execution",
         SEEDCORE_TASK "JOIN task_history e ON e.task_seq = t.seq WHERE e.kind = 'progress' AND EXISTS (SELECT 1 FROM "
                       "task_history d WHERE d.task_seq = t.seq AND d.seq < e.seq AND d.fencing_token = "
                       "e.fencing_token AND d.kind IN ('completed', 'retry', 'held', 'handed_back', 'snoozed'))"},
    Rule{"the steps of a task are numbered without a gap",
         "SELECT CAST(s.task_seq AS TEXT) AS id FROM (SELECT task_seq, count(*) AS n, min(number) AS low, "
         "max(number) AS high FROM task_step GROUP BY task_seq) s WHERE s.low <> 0 OR s.high <> s.n - 1"},
    Rule{"a step is written under a token of its task",
         SEEDCORE_STEP "JOIN tasks t ON t.seq = s.task_seq WHERE s.fencing_token < 0 OR s.fencing_token > "
                       "t.fencing_token"},
    Rule{"a running step has begun",
         SEEDCORE_STEP "WHERE s.status = 'running' AND (s.started_at IS NULL OR s.attempt < 1)"},
    Rule{"only a step that waits has a time until which it does",
         SEEDCORE_STEP "WHERE s.status <> 'waiting' AND s.wait_until IS NOT NULL"},
    Rule{"the tokens of a rate lie between nothing and its burst",
         "SELECT l.name AS id FROM queue_limit l WHERE l.tokens < -0.001 OR l.tokens > l.burst + 0.001"},
    Rule{"a type left to workers outside has a name", "SELECT e.type AS id FROM external_type e WHERE e.type = ''"},
    Rule{"a stream has a kind, by which it is forgotten or kept, and a state",
         "SELECT s.key AS id FROM stream_state s WHERE s.kind = '' OR CAST(s.state AS TEXT) = ''"},
    Rule{"a schedule has either a cron expression or a period",
         SEEDCORE_SCHEDULE "WHERE (s.cron IS NULL) = (s.every_ms IS NULL) OR s.every_ms < 1000"},
    Rule{"a schedule that has submitted a task has been fired",
         SEEDCORE_SCHEDULE "WHERE s.last_task_id IS NOT NULL AND s.last_run_at IS NULL"},
};

}  // namespace

std::span<const Rule> DispatchRules() { return kDispatchRules; }

}  // namespace seedcore::store
