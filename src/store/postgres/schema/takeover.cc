#include "store/postgres/takeover.h"

namespace seedcore::store::postgres {

// Indexes, constraints, triggers and sequences of columns move with their tables; views and triggers know what they use
// by number, not by name. Bodies of functions name their tables, so that they get a search path.
const char kTakeOverMove[] = R"sql(
CREATE SCHEMA seedcore_legacy;
DO $move$
DECLARE
  v_home text := current_schema();
  v_name text;
  v_kind "char";
  v_function regprocedure;
BEGIN
  FOR v_name, v_kind IN
    SELECT c.relname, c.relkind FROM pg_class c
    WHERE c.relnamespace = v_home::regnamespace AND c.relkind IN ('r', 'v') AND c.relname IN (
      'tasks', 'graph_tasks', 'graph_embeddings', 'graph_node_map', 'task_embeddings', 'hgnn_edges', 'agent_registry',
      'organ_registry', 'artifact', 'capability', 'memory_cell', 'task_depends_on_task', 'task_produces_artifact',
      'task_uses_capability', 'task_reads_memory', 'task_writes_memory', 'organ_provides_capability',
      'agent_owns_memory_cell', 'task_executed_by_organ', 'task_owned_by_agent', 'model', 'policy', 'service', 'skill',
      'agent_member_of_organ', 'agent_collab_agent', 'organ_provides_skill', 'organ_uses_service',
      'organ_governed_by_policy', 'agent_uses_model', 'facts', 'task_reads_fact', 'task_produces_fact',
      'cluster_metadata', 'registry_instance', 'active_instances', 'active_instance', 'holons')
  LOOP
    EXECUTE format('ALTER %s %I.%I SET SCHEMA seedcore_legacy',
                   CASE v_kind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, v_home, v_name);
  END LOOP;
  FOR v_name IN
    SELECT t.typname FROM pg_type t
    WHERE t.typnamespace = v_home::regnamespace AND t.typtype = 'e' AND t.typname IN ('taskstatus', 'instancestatus')
  LOOP
    EXECUTE format('ALTER TYPE %I.%I SET SCHEMA seedcore_legacy', v_home, v_name);
  END LOOP;
  FOR v_function IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = v_home::regnamespace AND p.prokind = 'f' AND (p.proname ~ '^ensure_[a-z_]+_node$' OR p.proname IN (
      'update_tasks_updated_at', 'update_timestamps', 'backfill_task_nodes', 'create_graph_embed_task',
      'create_graph_rag_task', 'create_graph_embed_task_v2', 'create_graph_rag_task_v2', 'cleanup_stale_running_tasks',
      'set_current_epoch', 'register_instance', 'set_instance_status', 'beat', 'expire_stale_instances',
      'expire_old_epoch_instances'))
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = seedcore_legacy, %I', v_function, v_home);
    EXECUTE format('ALTER FUNCTION %s SET SCHEMA seedcore_legacy', v_function);
  END LOOP;
END $move$;
)sql";

// The earlier system counted an attempt at a claim of its queue, and none at a claim of a graph task; tokens it had
// none. Here a task that has run has been claimed at least once, and its attempts serve as tokens.
//
// It did not wait for dependencies. Here they count: an edge is taken over where the other task is older (so there is
// no circle) and the task is not running.
const char kTakeOverTasks[] = R"sql(
CREATE TEMP TABLE takeover_note (line text NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE takeover_task ON COMMIT DROP AS
  SELECT row_number() OVER (ORDER BY created_at, id) AS seq, t.*, t.status::text AS was,
    greatest(t.attempts, CASE WHEN t.status IN ('running', 'completed') THEN 1 ELSE 0 END) AS claims,
    t.status IN ('completed', 'failed', 'cancelled') AS has_ended
  FROM seedcore_legacy.tasks t;
CREATE UNIQUE INDEX ON takeover_task (id);
CREATE TEMP TABLE takeover_edge (src_seq bigint, src uuid, dst uuid, dst_was text) ON COMMIT DROP;
DO $edges$
BEGIN
  IF to_regclass('seedcore_legacy.task_depends_on_task') IS NOT NULL THEN
    INSERT INTO takeover_edge
      SELECT DISTINCT s.seq, s.id, d.id, d.was FROM seedcore_legacy.task_depends_on_task e
      JOIN takeover_task s ON s.id = e.src_task_id JOIN takeover_task d ON d.id = e.dst_task_id
      WHERE d.seq < s.seq AND s.was <> 'running';
  END IF;
END $edges$;
CREATE TEMP TABLE takeover_state ON COMMIT DROP AS
  SELECT t.seq,
    count(e.dst) FILTER (WHERE NOT t.has_ended AND e.dst_was <> 'completed') AS blockers,
    min(e.dst::text) FILTER (WHERE t.was IN ('queued', 'retry') AND e.dst_was IN ('failed', 'cancelled')) AS failed_dst,
    json_agg(e.dst ORDER BY e.dst) FILTER (WHERE e.dst IS NOT NULL) AS depends_on
  FROM takeover_task t LEFT JOIN takeover_edge e ON e.src_seq = t.seq GROUP BY t.seq;

INSERT INTO tasks (seq, id, created_at, updated_at, run_after, started_at, finished_at, lease_expires_at, fencing_token,
                   drift_score, retry_base_ms, retry_max_ms, status, runnable, blockers, priority, attempts, max_attempts,
                   dead_letter, type, owner_id, error, hold_reason)
  SELECT t.seq, t.id, t.created_at, t.updated_at, t.run_after,
    CASE WHEN t.claims > 0 THEN coalesce(t.locked_at, t.created_at) END,
    CASE WHEN t.has_ended THEN t.updated_at END,
    CASE WHEN t.was = 'running' THEN coalesce(t.lease_expires_at, current_setting('seedcore.now')::timestamptz) END,
    t.claims, t.drift_score, 10000, 300000,
    (CASE WHEN s.failed_dst IS NOT NULL THEN 'created' ELSE t.was END)::taskstatus,
    CASE WHEN t.was NOT IN ('queued', 'retry') OR s.failed_dst IS NOT NULL THEN 0 WHEN s.blockers > 0 THEN 3
         WHEN t.run_after > current_setting('seedcore.now')::timestamptz THEN 2 ELSE 1 END,
    s.blockers, 5, t.claims, greatest(3, t.claims + CASE WHEN t.has_ended THEN 0 ELSE 1 END), t.was = 'failed',
    coalesce(nullif(lower(btrim(t.type)), ''), 'unknown'),
    CASE WHEN t.was = 'running' THEN coalesce(t.owner_id, t.locked_by, 'unknown') END, t.error,
    CASE WHEN s.failed_dst IS NOT NULL THEN 'taken over; it depends on task ' || s.failed_dst || ', which did not complete' END
  FROM takeover_task t JOIN takeover_state s ON s.seq = t.seq ORDER BY t.seq;
INSERT INTO task_payload (seq, type, domain, description, params, depends_on)
  SELECT t.seq, o.type, coalesce(t.domain, ''), coalesce(t.description, ''),
    CASE WHEN jsonb_typeof(t.params) = 'object' THEN t.params::text::json ELSE json_build_object('value', t.params) END,
    s.depends_on
  FROM takeover_task t JOIN takeover_state s ON s.seq = t.seq JOIN tasks o ON o.seq = t.seq ORDER BY t.seq;
INSERT INTO task_result (seq, result)
  SELECT seq, result::text::json FROM takeover_task WHERE result IS NOT NULL AND jsonb_typeof(result) <> 'null' ORDER BY seq;
INSERT INTO task_depends_on_task (src_task_id, dst_task_id) SELECT src, dst FROM takeover_edge ORDER BY src_seq, dst;
SELECT setval(pg_get_serial_sequence('tasks', 'seq'), greatest(1, max(seq)), max(seq) IS NOT NULL) FROM tasks;

-- How each task came to be as it is: submitted, claimed when it has run, and what came of that.
INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail)
  SELECT t.seq, h.at, h.kind, h.status::taskstatus, h.attempt, h.token, h.owner_id, h.detail
  FROM takeover_task t JOIN tasks o ON o.seq = t.seq CROSS JOIN LATERAL (VALUES
    (1, true, t.created_at, 'submitted', CASE WHEN t.was = 'created' THEN 'created' ELSE 'queued' END, 0, 0, NULL,
     'taken over from the earlier system'),
    (2, t.claims > 0, o.started_at, 'claimed', 'running', t.claims, t.claims, coalesce(t.owner_id, t.locked_by), NULL),
    (3, t.has_ended OR t.was = 'retry', t.updated_at, t.was, t.was, t.claims, t.claims, NULL, t.error),
    (3, t.was = 'queued' AND t.claims > 0, t.updated_at, 'lease_expired', 'queued', t.claims, t.claims, NULL, t.error),
    (4, t.was = 'created' AND t.claims > 0 OR o.hold_reason IS NOT NULL, t.updated_at, 'held', 'created', t.claims,
     t.claims, NULL, o.hold_reason)
  ) AS h (phase, happened, at, kind, status, attempt, token, owner_id, detail)
  WHERE h.happened ORDER BY t.seq, h.phase;
)sql";

const char kTakeOverRest[] = R"sql(
DO $rest$
DECLARE
  v_now   timestamptz := current_setting('seedcore.now')::timestamptz;
  v_name  text;
  v_rows  bigint;
  v_taken bigint;
BEGIN
  IF to_regclass('seedcore_legacy.facts') IS NOT NULL THEN
    INSERT INTO facts (id, created_at, updated_at, text, tags, meta_data)
      SELECT id, coalesce(created_at, v_now), coalesce(updated_at, created_at, v_now), text, coalesce(tags, '{}'),
        CASE WHEN meta_data IS NULL THEN '{}' WHEN jsonb_typeof(meta_data) = 'object' THEN meta_data::text::json
             ELSE json_build_object('value', meta_data) END
      FROM seedcore_legacy.facts ORDER BY created_at, id;
  END IF;
  IF to_regclass('seedcore_legacy.task_produces_fact') IS NOT NULL THEN
    INSERT INTO task_produces_fact (task_id, fact_id)
      SELECT DISTINCT task_id, fact_id FROM seedcore_legacy.task_produces_fact;
  END IF;
  IF to_regclass('seedcore_legacy.agent_registry') IS NOT NULL THEN
    INSERT INTO agent_registry (agent_id, display_name, props, created_at, updated_at)
      SELECT agent_id, display_name, coalesce(props::text, '{}')::json, coalesce(created_at, v_now),
        coalesce(updated_at, created_at, v_now) FROM seedcore_legacy.agent_registry;
  END IF;
  IF to_regclass('seedcore_legacy.organ_registry') IS NOT NULL THEN
    INSERT INTO organ_registry (organ_id, kind, props, created_at, updated_at)
      SELECT organ_id, coalesce(kind, ''), coalesce(props::text, '{}')::json, coalesce(created_at, v_now),
        coalesce(updated_at, created_at, v_now) FROM seedcore_legacy.organ_registry;
  END IF;
  IF to_regclass('seedcore_legacy.agent_member_of_organ') IS NOT NULL THEN
    INSERT INTO agent_member_of_organ (agent_id, organ_id, created_at)
      SELECT DISTINCT ON (agent_id) agent_id, organ_id, coalesce(created_at, v_now)
      FROM seedcore_legacy.agent_member_of_organ ORDER BY agent_id, created_at DESC NULLS LAST, organ_id;
  END IF;
  IF to_regclass('seedcore_legacy.cluster_metadata') IS NOT NULL THEN
    INSERT INTO cluster_metadata (id, current_epoch, updated_at)
      SELECT id, current_epoch::text, coalesce(updated_at, v_now) FROM seedcore_legacy.cluster_metadata;
  END IF;
  IF to_regclass('seedcore_legacy.registry_instance') IS NOT NULL THEN
    INSERT INTO registry_instance (instance_id, logical_id, cluster_epoch, status, actor_name, serve_route, node_id,
                                   ip_address, pid, started_at, stopped_at, last_heartbeat)
      SELECT instance_id::text, logical_id, cluster_epoch::text, status::text::instancestatus, coalesce(actor_name, ''),
        coalesce(serve_route, ''), coalesce(node_id, ''), coalesce(host(ip_address), ''), coalesce(pid, 0),
        coalesce(started_at, v_now), stopped_at, coalesce(last_heartbeat, started_at, v_now)
      FROM seedcore_legacy.registry_instance;
  END IF;

  FOR v_name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'seedcore_legacy'::regnamespace AND c.relkind = 'r'
  LOOP
    EXECUTE format('SELECT count(*) FROM seedcore_legacy.%I', v_name) INTO v_rows;
    IF v_name IN ('tasks', 'facts', 'task_depends_on_task', 'task_produces_fact', 'agent_registry', 'organ_registry',
                  'agent_member_of_organ', 'cluster_metadata', 'registry_instance') THEN
      EXECUTE format('SELECT count(*) FROM %I', v_name) INTO v_taken;
      INSERT INTO takeover_note VALUES (format('%s: %s of %s rows taken over', v_name, v_taken, v_rows));
    ELSE
      INSERT INTO takeover_note VALUES (format('%1$s: %2$s rows kept in seedcore_legacy.%1$s', v_name, v_rows));
    END IF;
  END LOOP;
END $rest$;
)sql";

}  // namespace seedcore::store::postgres
