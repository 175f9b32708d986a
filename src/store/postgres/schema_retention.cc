#include "store/postgres/schema.h"
#include "store/postgres/schema_rewrite.h"

namespace seedcore::store::postgres {

// Whoever deletes what has ended takes less than it asked for to mean that nothing is left, and pauses for a minute.
// Where many tasks had been queued anew after their end, that was the answer for every page of them: for hours nothing
// was deleted. Now the look goes on.
//
// And seedcore_enqueue tells what a process tells that has not counted the listeners (notice.h). Its word used to pass
// for that of a process that knows nothing of listeners, and everybody told of events for minutes, though nobody read
// them. It does its work as its owner and in its own schema, whatever the caller may do and wherever the caller looks
// for names: to be let use it is enough. Who could until now still may.
const char kSchemaRetention[] =
    R"sql(
-- As before (schema_places.cc), page after page of p_limit tasks that once ended, but no more than twenty pages. Those
-- that were queued anew are named no more, so the next call begins behind them.
CREATE OR REPLACE FUNCTION seedcore_delete_finished(p_before timestamptz, p_limit bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  v_batch   record;
  v_at      timestamptz := '-infinity';
  v_last    bigint := 0;
  v_members bigint;
  v_batches bigint[];
  v_gone    bigint;
  v_deleted bigint := 0;
BEGIN
  FOR page IN 1 .. 20 LOOP
    v_members := 0;
    v_batches := '{}';
    WHILE v_members < p_limit LOOP
      SELECT batch, finished_at, cardinality(seqs) AS n INTO v_batch FROM finished_batch
        WHERE finished_at < p_before AND (finished_at, batch) > (v_at, v_last)
        ORDER BY finished_at, batch LIMIT 1 FOR UPDATE SKIP LOCKED;
      EXIT WHEN NOT FOUND;
      v_at := v_batch.finished_at;
      v_last := v_batch.batch;
      v_batches := v_batches || v_batch.batch;
      v_members := v_members + v_batch.n;
    END LOOP;
    EXIT WHEN v_members = 0;
    WITH old AS MATERIALIZED (
      SELECT t.seq FROM (
        SELECT m.seq FROM finished_batch b CROSS JOIN LATERAL unnest(b.seqs) AS m (seq)
        WHERE b.batch = ANY (v_batches) GROUP BY m.seq ORDER BY min(b.finished_at)) g
      CROSS JOIN LATERAL (
        SELECT t.seq FROM tasks t WHERE t.seq = g.seq AND t.finished_at < p_before FOR UPDATE SKIP LOCKED) t
      LIMIT p_limit - v_deleted)
    DELETE FROM tasks WHERE seq = ANY (ARRAY(SELECT seq FROM old));
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    v_deleted := v_deleted + v_gone;
    -- What somebody else holds, or went beyond the limit, stays for the next time.
    WITH rest AS MATERIALIZED (
      SELECT b.batch, array_agg(t.seq) AS seqs, min(t.finished_at) AS finished_at
      FROM finished_batch b CROSS JOIN LATERAL unnest(b.seqs) AS m (seq)
      CROSS JOIN LATERAL (SELECT t.seq, t.finished_at FROM tasks t WHERE t.seq = m.seq OFFSET 0) t
      WHERE b.batch = ANY (v_batches) AND t.finished_at IS NOT NULL GROUP BY b.batch),
    kept AS (
      UPDATE finished_batch b SET seqs = r.seqs, finished_at = r.finished_at FROM rest r WHERE b.batch = r.batch)
    DELETE FROM finished_batch b WHERE b.batch = ANY (v_batches) AND b.batch NOT IN (SELECT batch FROM rest);
    EXIT WHEN v_deleted = p_limit OR v_members < p_limit;
  END LOOP;
  RETURN v_deleted;
END $$;

-- Nothing else of this function changes.
)sql" SEEDCORE_PG_REWRITE_BEGIN
    R"sql(    ('seedcore_enqueue', $q$pg_notify('seedcore', 're')$q$, $q$pg_notify('seedcore', 'reu 0 0 1 0 0 0')$q$)
)sql" SEEDCORE_PG_REWRITE_END R"sql(
DO $$
DECLARE
  v_role text;
BEGIN
  EXECUTE format('ALTER FUNCTION seedcore_enqueue SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
  REVOKE EXECUTE ON FUNCTION seedcore_enqueue FROM PUBLIC;
  FOR v_role IN
    SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE c.oid = 'tasks'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION seedcore_enqueue TO %s', v_role);
  END LOOP;
END $$;
)sql";

}  // namespace seedcore::store::postgres
