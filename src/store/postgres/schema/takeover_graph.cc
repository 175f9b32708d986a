#include "store/postgres/takeover.h"

namespace seedcore::store::postgres {

// After the rest: what the earlier system knew of its graph. Nodes keep their numbers. Its embeddings stay behind: they
// were made of random features, and nothing compares with them. Columns that not every version of it had are read by
// way of JSON.
const char kTakeOverGraph[] = R"sql(
DO $graph$
DECLARE
  v_now   timestamptz := current_setting('seedcore.now')::timestamptz;
  v_name  text;
  v_src   text;
  v_dst   text;
  v_kind  text;
  v_taken bigint;
  v_rows  bigint;
BEGIN
  IF to_regclass('seedcore_legacy.artifact') IS NOT NULL THEN
    INSERT INTO artifact (artifact_id, uri, kind, props, created_at, updated_at)
      SELECT l.artifact_id, l.uri, coalesce(to_jsonb(l) ->> 'kind', ''), coalesce(nullif(l.props::text, 'null'), '{}')::json,
        coalesce((to_jsonb(l) ->> 'created_at')::timestamptz, v_now),
        coalesce((to_jsonb(l) ->> 'updated_at')::timestamptz, v_now) FROM seedcore_legacy.artifact l;
  END IF;
  IF to_regclass('seedcore_legacy.capability') IS NOT NULL THEN
    INSERT INTO capability (capability_id, name, props, created_at, updated_at)
      SELECT l.capability_id, l.name, coalesce(nullif(l.props::text, 'null'), '{}')::json,
        coalesce((to_jsonb(l) ->> 'created_at')::timestamptz, v_now),
        coalesce((to_jsonb(l) ->> 'updated_at')::timestamptz, v_now) FROM seedcore_legacy.capability l;
  END IF;
  IF to_regclass('seedcore_legacy.memory_cell') IS NOT NULL THEN
    INSERT INTO memory_cell (memory_cell_id, scope, mkey, version, props, created_at, updated_at)
      SELECT l.memory_cell_id, coalesce(l.scope, ''), coalesce(l.mkey, ''), coalesce(l.version, 1),
        coalesce(nullif(l.props::text, 'null'), '{}')::json, coalesce((to_jsonb(l) ->> 'created_at')::timestamptz, v_now),
        coalesce((to_jsonb(l) ->> 'updated_at')::timestamptz, v_now) FROM seedcore_legacy.memory_cell l
      ON CONFLICT DO NOTHING;
  END IF;
  FOREACH v_name IN ARRAY ARRAY['model', 'policy', 'service', 'skill'] LOOP
    CONTINUE WHEN to_regclass('seedcore_legacy.' || v_name) IS NULL;
    EXECUTE format(
      'INSERT INTO %1$I (%2$I, meta, created_at, updated_at) SELECT l.%2$I, coalesce(nullif(l.meta::text, ''null''), '
      '''{}'')::json, coalesce((to_jsonb(l) ->> ''created_at'')::timestamptz, $1), '
      'coalesce((to_jsonb(l) ->> ''updated_at'')::timestamptz, $1) FROM seedcore_legacy.%1$I l',
      v_name, v_name || '_name') USING v_now;
  END LOOP;
  FOR v_name, v_src, v_dst IN SELECT * FROM (VALUES
      ('task_produces_artifact', 'task_id', 'artifact_id'),
      ('task_uses_capability', 'task_id', 'capability_id'),
      ('task_reads_memory', 'task_id', 'memory_cell_id'),
      ('task_writes_memory', 'task_id', 'memory_cell_id'),
      ('task_executed_by_organ', 'task_id', 'organ_id'),
      ('task_owned_by_agent', 'task_id', 'agent_id'),
      ('task_reads_fact', 'task_id', 'fact_id'),
      ('agent_collab_agent', 'src_agent', 'dst_agent'),
      ('agent_uses_model', 'agent_id', 'model_name'),
      ('agent_owns_memory_cell', 'agent_id', 'memory_cell_id'),
      ('organ_provides_skill', 'organ_id', 'skill_name'),
      ('organ_provides_capability', 'organ_id', 'capability_id'),
      ('organ_uses_service', 'organ_id', 'service_name'),
      ('organ_governed_by_policy', 'organ_id', 'policy_name')) e
  LOOP
    CONTINUE WHEN to_regclass('seedcore_legacy.' || v_name) IS NULL;
    EXECUTE format('INSERT INTO %1$I (%2$I, %3$I, created_at) SELECT DISTINCT l.%2$I, l.%3$I, $1 FROM seedcore_legacy.%1$I l '
                   'WHERE l.%2$I IS NOT NULL AND l.%3$I IS NOT NULL', v_name, v_src, v_dst) USING v_now;
  END LOOP;
  IF to_regclass('seedcore_legacy.graph_node_map') IS NOT NULL THEN
    FOR v_kind, v_name, v_src, v_dst IN SELECT * FROM (VALUES
      ('task', 'tasks', 'id', 'ext_uuid'),
      ('agent', 'agent_registry', 'agent_id', 'ext_text_id'),
      ('organ', 'organ_registry', 'organ_id', 'ext_text_id'),
      ('fact', 'facts', 'id', 'ext_uuid'),
      ('artifact', 'artifact', 'artifact_id', 'ext_uuid'),
      ('capability', 'capability', 'capability_id', 'ext_uuid'),
      ('memory_cell', 'memory_cell', 'memory_cell_id', 'ext_uuid'),
      ('model', 'model', 'model_name', 'ext_text_id'),
      ('policy', 'policy', 'policy_name', 'ext_text_id'),
      ('service', 'service', 'service_name', 'ext_text_id'),
      ('skill', 'skill', 'skill_name', 'ext_text_id')) k
    LOOP
      EXECUTE format('INSERT INTO graph_node_map (node_id, node_type, ext_table, %4$I, created_at, updated_at) '
                     'SELECT l.node_id, %1$L, %2$L, l.%4$I, coalesce(l.created_at, $1), coalesce(l.updated_at, $1) '
                     'FROM seedcore_legacy.graph_node_map l JOIN %2$I t ON t.%3$I = l.%4$I WHERE l.node_type = %1$L '
                     'ORDER BY l.node_id ON CONFLICT DO NOTHING', v_kind, v_name, v_src, v_dst) USING v_now;
    END LOOP;
    PERFORM setval(pg_get_serial_sequence('graph_node_map', 'node_id'),
                   greatest(1, (SELECT max(node_id) FROM seedcore_legacy.graph_node_map)));
  END IF;
  FOR v_name IN SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'seedcore_legacy'::regnamespace AND c.relkind = 'r' AND c.relname <> 'graph_embeddings'
  LOOP
    CONTINUE WHEN NOT EXISTS (SELECT 1 FROM takeover_note n WHERE n.line LIKE v_name || ': % rows kept in %')
      OR to_regclass(format('%I.%I', current_schema(), v_name)) IS NULL;
    EXECUTE format('SELECT count(*) FROM seedcore_legacy.%I', v_name) INTO v_rows;
    EXECUTE format('SELECT count(*) FROM %I', v_name) INTO v_taken;
    DELETE FROM takeover_note n WHERE n.line LIKE v_name || ': % rows kept in %';
    INSERT INTO takeover_note VALUES (format('%s: %s of %s rows taken over', v_name, v_taken, v_rows));
  END LOOP;
END $graph$;
)sql";

}  // namespace seedcore::store::postgres
