#include "store/postgres/schema.h"
#include "store/postgres/schema_rewrite.h"

namespace seedcore::store::postgres {

// Large claims were made two at a time, because two keep two cores busy. A server with more cores makes eight at a
// time. Whoever begins behind others and finds nothing looks at once from the first task on, instead of in a
// transaction of its own: what others have locked they will have.
//
// Two faults end. Whoever looked at what others had left took the first batch that was free before it waited for those
// that were not; two of them could wait for each other, until the server noticed after a second. Now whoever waits
// locks nothing out of turn. And a claim that had changed the line, since somebody else had locked all tasks of its
// batch, did it again if it then waited for an announced commit, which failed.
const char kSchemaManyClaims[] =
    R"sql(
-- Nothing else of these functions changes.
)sql" SEEDCORE_PG_REWRITE_BEGIN
    R"sql(    ('seedcore_take_batches', E'  IF p_types IS NULL THEN\n    SELECT batch, turn, turn',
     E'  IF p_wait THEN\n    NULL;  -- whoever waits locks them one after the other, below\n'
     '  ELSIF p_types IS NULL THEN\n    SELECT batch, turn, turn'),
    ('seedcore_choose', 'v_places := CASE WHEN p_limit < 128 THEN 8 ELSE 2 END;', 'v_places := 8;'),
    ('seedcore_choose', 'IF place = 2 AND v_places = 2 THEN', 'IF place = v_places AND p_limit >= 128 THEN'),
    ('seedcore_choose', 'place := pg_backend_pid() & 1;', 'place := pg_backend_pid() & 7;'),
    ('seedcore_choose', E'  v_offset  bigint;\n', E'  v_offset  bigint;\n  v_behind  integer := 0;\n'),
    ('seedcore_choose', 'place := greatest(place, 1);', E'place := greatest(place, 1);\n      v_behind := 1;'),
    ('seedcore_choose', 'EXIT WHEN v_chosen.seqs IS NOT NULL OR p_announced',
     E'IF v_chosen.seqs IS NULL AND v_seqs IS NULL AND v_offset > 0 THEN\n    v_offset := 0;\n    place := v_behind;\n'
     '    CONTINUE;\n  END IF;\n  EXIT WHEN v_chosen.seqs IS NOT NULL OR v_seqs IS NOT NULL OR p_announced')
)sql" SEEDCORE_PG_REWRITE_END;

}  // namespace seedcore::store::postgres
