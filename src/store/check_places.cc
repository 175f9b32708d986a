#include <array>

#include "store/check_rules.h"

namespace seedcore::store {
namespace {

// See postgres/schema/places.cc and schema/line.cc.
constexpr std::array kPlaceRules = {
    Rule{"a task that can run stands in line with its turn",
         SEEDCORE_TASK "LEFT JOIN task_line r ON r.seq = t.seq AND r.turn = t.turn AND r.type = t.type WHERE "
                       "t.runnable = 1 AND r.seq "
                       "IS NULL"},
    Rule{"only a task that can run stands in line",
         "SELECT r.seq::text AS id FROM task_line r LEFT JOIN tasks t ON t.seq = r.seq WHERE t.runnable IS DISTINCT "
         "FROM 1"},
    Rule{"a task stands in line once", "SELECT seq::text AS id FROM task_line GROUP BY seq HAVING count(*) > 1"},
    Rule{"a running task is in a batch that the reaper looks at", SEEDCORE_TASK
         "WHERE t.status = 'running' AND t.seq NOT IN (SELECT m.seq FROM lease_batch b CROSS JOIN LATERAL "
         "unnest(b.seqs) AS m (seq))"},
    Rule{"an ended task is in a batch that retention looks at in time", SEEDCORE_TASK
         "LEFT JOIN (SELECT m.seq, min(b.finished_at) AS at FROM finished_batch b CROSS JOIN LATERAL unnest(b.seqs) AS "
         "m (seq) GROUP BY m.seq) f ON f.seq = t.seq WHERE t.finished_at IS NOT NULL AND (f.at IS NULL OR f.at > "
         "t.finished_at)"},
};

}  // namespace

std::span<const Rule> PlaceRules() { return kPlaceRules; }

}  // namespace seedcore::store
