#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// A process announces the commit of a single task right ahead of it (notifier.h), and its transaction holds the lock
// (24308, mark) until others can see the task. Claims that have heard of it are on their way meanwhile: one that finds
// nothing waits for that lock and looks again, with all that it needs still in the caches. One that has changed rows
// before does not wait, since that transaction may need them.
//
// And what is done for nothing in most cases is left out: the release of dependants where nobody depends on anything,
// and the deletion of finished tasks where none is old enough.
const char kSchemaAnnounced[] = R"sql(
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

-- Nothing else of these functions changes. Each pair of p_changes is a part of the function and what stands in its place.
CREATE FUNCTION seedcore_rewrite(p_function regproc, p_changes text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_text   text := pg_get_functiondef(p_function);
  v_before text;
BEGIN
  FOR i IN 1 .. cardinality(p_changes) / 2 LOOP
    v_before := v_text;
    v_text := replace(v_text, p_changes[2 * i - 1], p_changes[2 * i]);
    IF v_text = v_before THEN
      RAISE EXCEPTION 'the function % is not that of the earlier schema', p_function;
    END IF;
  END LOOP;
  RETURN v_text;
END $$;

DO $$
DECLARE
  v_choose  text := seedcore_rewrite('seedcore_choose', ARRAY[
    'p_lease_end timestamp with time zone)',
    'p_lease_end timestamp with time zone, p_announced integer DEFAULT NULL)',
    'place integer)', 'place integer, awaited boolean)',
    E'  IF v_seqs IS NOT NULL THEN\n    SELECT', E'  LOOP\n  IF v_seqs IS NOT NULL THEN\n    SELECT',
    E'  IF v_chosen.seqs IS NOT NULL THEN\n    IF',
    E'  EXIT WHEN v_chosen.seqs IS NOT NULL OR p_announced IS NULL OR awaited OR changed;
      awaited := seedcore_await_announced(p_announced);
      EXIT WHEN NOT awaited;
    END LOOP;\n  IF v_chosen.seqs IS NOT NULL THEN\n    IF',
    E'  place := 0;\n', E'  awaited := false;\n  place := 0;\n']);
BEGIN
  DROP FUNCTION seedcore_choose(timestamptz, integer, text, text, integer, integer, text[], text, timestamptz);
  EXECUTE v_choose;
  EXECUTE seedcore_rewrite('seedcore_release_dependants', ARRAY[
    E'BEGIN\n', E'BEGIN\n  IF NOT EXISTS (SELECT 1 FROM task_depends_on_task) THEN\n    RETURN 0;\n  END IF;\n']);
  EXECUTE seedcore_rewrite('seedcore_delete_finished', ARRAY[
    E'  END LOOP;\n', E'  END LOOP;\n  IF v_members = 0 THEN\n    RETURN 0;\n  END IF;\n']);
END $$;
DROP FUNCTION seedcore_rewrite(regproc, text[]);
)sql";

}  // namespace seedcore::store::postgres
