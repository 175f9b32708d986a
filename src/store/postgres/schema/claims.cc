#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// A claim is two statements of one round trip (task_claim.cc). The first chooses tasks, locks them and writes whatever
// follows from the claim but the tasks themselves; it says which these are in seedcore.claim_tids. The second changes
// their rows and returns them, in one pass and without a table in between. A few simple statements rather than one: the
// server sets up each plan in full whenever it runs it, which for a few tasks was most of the work; and each statement
// sees what was committed before it, also the versions of rows that it had to wait for.
//
// Of those who claim the same types at the same moment each has a place: its claim begins as many times its limit
// behind the first task as others are before it, so that it does not have to pass over what they are just taking. Eight
// are enough to keep a server busy; a large claim that comes ninth waits until one of them is done. Small claims never
// wait: what they wait for would mostly be the disk. Who begins behind others and finds nothing looks at once from the
// first task on. Whoever looks at what others have left waits for their batches, and locks them in the order of
// claiming alone; otherwise two of them could wait for each other.
//
// A process announces the commit of a single task right ahead of it (notifier.h), and its transaction holds the lock
// (24308, mark) until others can see the task. Claims that have heard of it are on their way meanwhile: one that finds
// nothing waits for that lock and looks again, with all that it needs still in the caches. One that has changed rows
// before does not wait, since that transaction may need them.

// Of the locked tasks `c` what the claim goes on with.
#define SEEDCORE_PG_CHOSEN                                                                                          \
  "array_agg(c.seq) AS seqs, array_agg(c.tid) AS tids, "                                                            \
  "array_agg(c.seq) FILTER (WHERE c.fencing_token = 0 AND c.attempts = 0) AS fresh, array_agg(DISTINCT c.type) AS " \
  "types, max(c.turn - (10 - c.priority) * 1000000::bigint) AS reached, "                                           \
  "count(*) FILTER (WHERE c.status = 'queued') AS queued"
#define SEEDCORE_PG_LOCKED_COLUMNS \
  "t.seq, t.ctid AS tid, t.type, t.turn, t.priority, t.status, t.fencing_token, t.attempts"
#define SEEDCORE_PG_STILL_CLAIMABLE "t.runnable = 1 AND (t.deadline IS NULL OR t.deadline > p_now)"

const char kClaims[] = R"sql(
-- Whether it has waited, and the commit is over. If nobody holds the lock that commit has ended or not begun. No longer
-- than a commit takes that has no trouble: whoever makes others wait has told them nothing yet.
CREATE FUNCTION seedcore_await_announced(p_mark integer) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '20ms' AS $$
BEGIN
  IF pg_try_advisory_xact_lock_shared(24308, p_mark) THEN
    RETURN false;
  END IF;
  RETURN pg_advisory_xact_lock_shared(24308, p_mark) IS NOT NULL;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

-- Writes what a claim of p_seqs says elsewhere than in their rows, which the statement that follows changes. This
-- transaction has locked them. p_fresh: those that were never claimed before, NULL when there is none; their first
-- claims share one row of history. p_types: each once. p_clocks: what the claim was restricted to, {''} when to
-- nothing. p_reached: how far the clock comes. p_queued: how many of them are queued, and in no other state.
CREATE FUNCTION seedcore_note_claims(p_now timestamptz, p_owner text, p_lease_end timestamptz, p_clocks text[],
                                     p_seqs bigint[], p_tids tid[], p_fresh bigint[], p_types text[], p_reached bigint,
                                     p_queued bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_count   integer := cardinality(p_seqs);
  v_batch   bigint;
  v_done    boolean;
  v_setting text;
BEGIN
  IF p_fresh IS NOT NULL THEN
    v_batch := seedcore_new_batch();
    INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, owner_id, task_seqs)
      VALUES (v_batch, p_now, 1, 'running', 1, 'claimed', p_owner, p_fresh);
  END IF;
  IF p_fresh IS NULL OR cardinality(p_fresh) < v_count THEN
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id)
      SELECT seq, p_now, 'claimed', 'running', attempts + 1, fencing_token + 1, p_owner FROM tasks
      WHERE seq = ANY (p_seqs) AND (fencing_token > 0 OR attempts > 0);
  END IF;
  IF p_queued = v_count THEN
    INSERT INTO task_count AS c (status, shard, n)
      VALUES ('queued', pg_backend_pid(), -v_count), ('running', pg_backend_pid(), v_count)
      ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
  ELSE
    INSERT INTO task_count AS c (status, shard, n)
      SELECT status, pg_backend_pid(), n FROM (
        SELECT status, -count(*) AS n FROM tasks WHERE seq = ANY (p_seqs) GROUP BY status
        UNION ALL SELECT 'running', v_count) changed ORDER BY status
      ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
  END IF;
  INSERT INTO lease_batch (look_at, types, seqs)
    VALUES (least(p_lease_end, p_now + interval '5 seconds'), p_types, p_seqs);
  v_done := seedcore_move_clocks(p_clocks, p_reached, v_count) IS NOT NULL;
  v_setting := set_config('seedcore.claim_event', coalesce(v_batch::text, ''), true);
  v_setting := set_config('seedcore.keeps_places', 'on', true);
  RETURN set_config('seedcore.claim_tids', p_tids::text, true);
END $$;

-- Before a claim: tasks whose deadline has passed fail, those whose time has come can run, at most p_most_due of each.
-- Then up to p_limit tasks of p_wanted (NULL: all types) are chosen, unless limits or pauses are in force: `limited`,
-- and somebody else chooses. p_types is a number for the types, by which claims of the same types find their places;
-- NULL: whoever looks at what others have left. `place` is not 0 either when a batch was passed over that somebody else
-- has locked. p_announced: the mark of a commit to wait for, if there is nothing yet; `awaited`: whether it has.
CREATE FUNCTION seedcore_choose(p_now timestamptz, p_most_due integer, p_late_error text, p_late_code text,
                                p_types integer, p_limit integer, p_wanted text[], p_owner text,
                                p_lease_end timestamptz, p_announced integer DEFAULT NULL)
RETURNS TABLE (changed boolean, limited boolean, place integer, awaited boolean) LANGUAGE plpgsql AS $$
DECLARE
  v_setting text := set_config('seedcore.claim_tids', '{}', true);
  v_late    boolean;
  v_due     boolean;
  v_batched boolean;
  v_places  integer;
  v_offset  bigint;
  v_behind  integer := 0;
  v_taken   record;
  v_single  boolean := false;
  v_seqs    bigint[];
  v_chosen  record;
BEGIN
  -- What is late and what is due is looked for at the end of an index where there is hardly anything.
  SELECT EXISTS (SELECT 1 FROM queue_limit) OR EXISTS (SELECT 1 FROM queue_pause),
    (SELECT live_deadline FROM tasks WHERE live_deadline IS NOT NULL ORDER BY live_deadline LIMIT 1) <= p_now,
    (SELECT run_after FROM tasks WHERE waits_as = 2 ORDER BY run_after LIMIT 1) <= p_now,
    EXISTS (SELECT 1 FROM ready_batch)
    INTO limited, v_late, v_due, v_batched;
  IF v_late THEN
    PERFORM seedcore_fail_late(p_now, p_most_due, p_late_error, p_late_code);
  END IF;
  IF v_due THEN
    WITH due AS MATERIALIZED (
      SELECT seq FROM tasks WHERE waits_as = 2 AND run_after <= p_now ORDER BY run_after LIMIT p_most_due
      FOR UPDATE SKIP LOCKED)
    UPDATE tasks t SET runnable = 1 FROM due d WHERE t.seq = d.seq;
  END IF;
  changed := coalesce(v_late, false) OR coalesce(v_due, false);

  awaited := false;
  place := 0;
  IF p_types IS NOT NULL THEN
    v_places := 8;
    WHILE place < v_places AND NOT pg_try_advisory_xact_lock(24306, (p_types & -8) | place) LOOP
      place := place + 1;
    END LOOP;
    IF place = v_places AND p_limit >= 128 THEN
      place := pg_backend_pid() & 7;
      PERFORM pg_advisory_xact_lock(24306, (p_types & -8) | place);
    END IF;
  END IF;
  IF limited THEN
    RETURN NEXT;
    RETURN;
  END IF;
  v_offset := place * p_limit::bigint;

  IF v_batched THEN
    SELECT * INTO v_taken FROM seedcore_take_batches(p_wanted, p_limit, NULL, p_types IS NULL);
    IF v_taken.skipped THEN
      place := greatest(place, 1);
      v_behind := 1;
    END IF;
    IF v_taken.seqs IS NOT NULL THEN
      IF p_wanted IS NULL THEN
        v_single := cardinality(v_taken.seqs) < p_limit AND EXISTS (SELECT 1 FROM task_ready)
          OR (SELECT turn FROM task_ready ORDER BY turn, seq LIMIT 1) <= v_taken.last_turn;
      ELSE
        v_single := EXISTS (
          SELECT 1 FROM unnest(p_wanted) AS wanted (type) CROSS JOIN LATERAL (
            SELECT turn FROM task_ready WHERE type = wanted.type ORDER BY turn, seq LIMIT 1) r
          WHERE cardinality(v_taken.seqs) < p_limit OR r.turn <= v_taken.last_turn);
      END IF;
      IF v_single THEN
        INSERT INTO task_ready (seq, turn, type)
          SELECT seq, turn, type FROM tasks WHERE seq = ANY (v_taken.seqs) AND runnable = 1 ORDER BY seq;
      ELSE
        v_seqs := v_taken.seqs;
      END IF;
    END IF;
  END IF;

  LOOP
    IF v_seqs IS NOT NULL THEN
      SELECT )sql" SEEDCORE_PG_CHOSEN R"sql( INTO v_chosen FROM (
        SELECT )sql" SEEDCORE_PG_LOCKED_COLUMNS R"sql( FROM unnest(v_seqs) AS r (seq) JOIN tasks t ON t.seq = r.seq
        WHERE )sql" SEEDCORE_PG_STILL_CLAIMABLE R"sql( FOR UPDATE OF t SKIP LOCKED) c;
      -- What of a batch is not claimed after all stands alone from now on.
      IF coalesce(cardinality(v_chosen.seqs), 0) < cardinality(v_seqs) THEN
        INSERT INTO task_ready (seq, turn, type)
          SELECT seq, turn, type FROM tasks
          WHERE seq = ANY (v_seqs) AND runnable = 1 AND seq <> ALL (coalesce(v_chosen.seqs, '{}'));
      END IF;
    ELSIF p_wanted IS NULL THEN
      SELECT )sql" SEEDCORE_PG_CHOSEN R"sql( INTO v_chosen FROM (
        SELECT )sql" SEEDCORE_PG_LOCKED_COLUMNS R"sql(
        FROM (SELECT seq, turn FROM task_ready ORDER BY turn, seq OFFSET v_offset) r JOIN tasks t ON t.seq = r.seq
        WHERE )sql" SEEDCORE_PG_STILL_CLAIMABLE R"sql(
        ORDER BY r.turn, r.seq LIMIT p_limit FOR UPDATE OF t SKIP LOCKED) c;
    ELSE
      SELECT )sql" SEEDCORE_PG_CHOSEN R"sql( INTO v_chosen FROM (
        SELECT o.* FROM unnest(p_wanted) AS wanted (type) CROSS JOIN LATERAL (
          SELECT )sql" SEEDCORE_PG_LOCKED_COLUMNS R"sql(
          FROM (SELECT seq, turn FROM task_ready WHERE type = wanted.type ORDER BY turn, seq OFFSET v_offset) r
          JOIN tasks t ON t.seq = r.seq
          WHERE )sql" SEEDCORE_PG_STILL_CLAIMABLE R"sql(
          ORDER BY r.turn, r.seq LIMIT p_limit FOR UPDATE OF t SKIP LOCKED) o
        ORDER BY o.turn, o.seq LIMIT p_limit) c;
    END IF;
    IF v_chosen.seqs IS NULL AND v_seqs IS NULL AND v_offset > 0 THEN
      v_offset := 0;
      place := v_behind;
      CONTINUE;
    END IF;
    EXIT WHEN v_chosen.seqs IS NOT NULL OR v_seqs IS NOT NULL OR p_announced IS NULL OR awaited OR changed;
    awaited := seedcore_await_announced(p_announced);
    EXIT WHEN NOT awaited;
  END LOOP;
  IF v_chosen.seqs IS NOT NULL THEN
    IF v_seqs IS NULL THEN
      DELETE FROM task_ready WHERE seq = ANY (v_chosen.seqs);
    END IF;
    v_setting := seedcore_note_claims(p_now, p_owner, p_lease_end, coalesce(p_wanted, '{""}'), v_chosen.seqs,
                                      v_chosen.tids, v_chosen.fresh, v_chosen.types, v_chosen.reached, v_chosen.queued);
  END IF;
  RETURN NEXT;
END $$;

-- p_seqs, which this transaction has locked and somebody else has chosen.
CREATE FUNCTION seedcore_choose_these(p_now timestamptz, p_owner text, p_lease_end timestamptz, p_clocks text[],
                                      p_seqs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_chosen record;
BEGIN
  SELECT )sql" SEEDCORE_PG_CHOSEN R"sql( INTO v_chosen FROM (
    SELECT )sql" SEEDCORE_PG_LOCKED_COLUMNS R"sql( FROM tasks t WHERE t.seq = ANY (p_seqs)) c;
  DELETE FROM task_ready WHERE seq = ANY (v_chosen.seqs);
  PERFORM seedcore_note_claims(p_now, p_owner, p_lease_end, p_clocks, v_chosen.seqs, v_chosen.tids, v_chosen.fresh,
                               v_chosen.types, v_chosen.reached, v_chosen.queued);
END $$;
)sql";

}  // namespace seedcore::store::postgres::schema
