#pragma once

/// For tests: the tables that migrations 001 to 012 of the earlier system made, with rows in them. Written from their
/// descriptions: names, types, keys and the functions and views that other things depend on. Vectors are arrays of
/// numbers here, because the extension for them is no part of PostgreSQL.
namespace seedcore::store::postgres {

inline constexpr char kEarlierSchema[] = R"sql(
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE TABLE holons (id SERIAL PRIMARY KEY, uuid UUID UNIQUE, embedding REAL[], meta JSONB,
                     created_at TIMESTAMPTZ DEFAULT now());

CREATE TYPE taskstatus AS ENUM ('created', 'queued', 'running', 'completed', 'failed', 'cancelled', 'retry');
CREATE TABLE tasks (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), status taskstatus NOT NULL DEFAULT 'created',
  attempts INTEGER NOT NULL DEFAULT 0, locked_by TEXT, locked_at TIMESTAMPTZ, run_after TIMESTAMPTZ, type TEXT NOT NULL,
  description TEXT, domain TEXT, drift_score DOUBLE PRECISION NOT NULL DEFAULT 0.0, params JSONB NOT NULL DEFAULT '{}',
  result JSONB, error TEXT, created_at TIMESTAMPTZ NOT NULL DEFAULT now(), updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  owner_id TEXT, lease_expires_at TIMESTAMPTZ, last_heartbeat TIMESTAMPTZ);
CREATE INDEX idx_tasks_status ON tasks (status);
CREATE INDEX idx_tasks_run_after ON tasks (run_after);
CREATE INDEX idx_tasks_type ON tasks (type);
CREATE INDEX idx_tasks_domain ON tasks (domain);
CREATE INDEX idx_tasks_claim ON tasks (status, run_after, created_at) WHERE status IN ('queued', 'failed', 'retry');
CREATE INDEX idx_tasks_lease_expires_at ON tasks (lease_expires_at);
CREATE FUNCTION update_tasks_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TRIGGER trigger_tasks_updated_at BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION update_tasks_updated_at();
CREATE VIEW graph_tasks AS SELECT id, status, attempts, type, params, result, error, created_at, updated_at,
  CASE status WHEN 'completed' THEN 'ok' ELSE '' END AS status_emoji FROM tasks
  WHERE type IN ('graph_embed', 'graph_rag_query') ORDER BY updated_at DESC;

CREATE FUNCTION update_timestamps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TABLE graph_embeddings (node_id BIGINT PRIMARY KEY, label TEXT, props JSONB, emb REAL[] NOT NULL,
  created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now());
CREATE TABLE graph_node_map (node_id BIGSERIAL PRIMARY KEY, node_type TEXT NOT NULL, ext_table TEXT NOT NULL, ext_uuid UUID,
  ext_text_id TEXT, created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now(),
  UNIQUE (node_type, ext_table, ext_uuid), UNIQUE (node_type, ext_table, ext_text_id));
CREATE TABLE agent_registry (agent_id TEXT PRIMARY KEY, display_name TEXT, props JSONB,
  created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now());
CREATE TABLE organ_registry (organ_id TEXT PRIMARY KEY,
  agent_id TEXT REFERENCES agent_registry (agent_id) ON UPDATE CASCADE ON DELETE SET NULL, kind TEXT, props JSONB,
  created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now());
CREATE TRIGGER organ_registry_updated BEFORE UPDATE ON organ_registry FOR EACH ROW EXECUTE FUNCTION update_timestamps();
CREATE TABLE artifact (artifact_id UUID PRIMARY KEY DEFAULT gen_random_uuid(), uri TEXT NOT NULL, kind TEXT, props JSONB);
CREATE TABLE task_depends_on_task (id BIGSERIAL PRIMARY KEY,
  src_task_id UUID NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  dst_task_id UUID NOT NULL REFERENCES tasks (id) ON DELETE CASCADE, UNIQUE (src_task_id, dst_task_id));
CREATE TABLE task_produces_artifact (id BIGSERIAL PRIMARY KEY, task_id UUID REFERENCES tasks (id) ON DELETE CASCADE,
  artifact_id UUID REFERENCES artifact (artifact_id) ON DELETE CASCADE, UNIQUE (task_id, artifact_id));
CREATE TABLE skill (skill_name TEXT PRIMARY KEY, meta JSONB NOT NULL DEFAULT '{}');
CREATE TABLE agent_member_of_organ (agent_id TEXT REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  organ_id TEXT REFERENCES organ_registry (organ_id) ON DELETE CASCADE, created_at TIMESTAMPTZ DEFAULT now(),
  PRIMARY KEY (agent_id, organ_id));
CREATE TABLE facts (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), text TEXT NOT NULL, tags TEXT[] DEFAULT '{}',
  meta_data JSONB DEFAULT '{}', created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now());
CREATE INDEX idx_facts_text ON facts USING gin (to_tsvector('english', text));
CREATE INDEX idx_facts_tags ON facts USING gin (tags);
CREATE TABLE task_produces_fact (id BIGSERIAL PRIMARY KEY, task_id UUID NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  fact_id UUID NOT NULL REFERENCES facts (id) ON DELETE CASCADE, UNIQUE (task_id, fact_id));

CREATE FUNCTION ensure_task_node(p_task uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE nid bigint;
BEGIN
  SELECT node_id INTO nid FROM graph_node_map WHERE node_type = 'task' AND ext_table = 'tasks' AND ext_uuid = p_task;
  IF nid IS NULL THEN
    INSERT INTO graph_node_map (node_type, ext_table, ext_uuid) VALUES ('task', 'tasks', p_task) RETURNING node_id INTO nid;
  END IF;
  RETURN nid;
END $$;
CREATE VIEW hgnn_edges AS SELECT ensure_task_node(d.src_task_id) AS src_node_id, ensure_task_node(d.dst_task_id) AS
  dst_node_id, 'task__depends_on__task'::text AS edge_type FROM task_depends_on_task d;

CREATE TYPE instancestatus AS ENUM ('starting', 'alive', 'draining', 'dead');
CREATE TABLE cluster_metadata (id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1), current_epoch UUID NOT NULL,
  updated_at TIMESTAMPTZ DEFAULT now());
CREATE TABLE registry_instance (instance_id UUID PRIMARY KEY, logical_id TEXT NOT NULL, cluster_epoch UUID NOT NULL,
  status instancestatus NOT NULL DEFAULT 'starting', actor_name TEXT, serve_route TEXT, node_id TEXT, ip_address INET,
  pid INTEGER, started_at TIMESTAMPTZ DEFAULT now(), stopped_at TIMESTAMPTZ, last_heartbeat TIMESTAMPTZ DEFAULT now());
CREATE VIEW active_instances AS SELECT i.* FROM registry_instance i JOIN cluster_metadata c ON c.current_epoch =
  i.cluster_epoch WHERE i.status = 'alive' AND i.last_heartbeat > now() - interval '15 seconds';
CREATE FUNCTION set_current_epoch(p_epoch uuid) RETURNS void LANGUAGE sql AS $$
  INSERT INTO cluster_metadata (id, current_epoch) VALUES (1, p_epoch)
  ON CONFLICT (id) DO UPDATE SET current_epoch = excluded.current_epoch $$;
CREATE FUNCTION beat(p_instance uuid) RETURNS void LANGUAGE sql AS $$
  UPDATE registry_instance SET last_heartbeat = now() WHERE instance_id = p_instance $$;
)sql";

/// Ids end in the digits that their comments name.
inline constexpr char kEarlierRows[] = R"sql(
INSERT INTO tasks (id, status, attempts, type, description, domain, params, result, error, created_at, updated_at, locked_by,
                   locked_at, owner_id, lease_expires_at, run_after, drift_score) VALUES
  ('00000000-0000-4000-8000-000000000001', 'completed', 1, 'General_Query', 'done', 'x', '{"q": "a"}',
   '{"success": true}', NULL, '2025-09-01Z', '2025-09-02Z', 'd0', '2025-09-01Z', 'd0', '2025-09-03Z', NULL, 0.5),
  ('00000000-0000-4000-8000-000000000002', 'queued', 0, 'general_query', NULL, NULL, '{}', NULL, NULL, '2025-09-02Z',
   '2025-09-02Z', NULL, NULL, NULL, NULL, NULL, 0),
  ('00000000-0000-4000-8000-000000000003', 'running', 2, 'general_query', 'in flight', NULL, '{}', NULL, NULL,
   '2025-09-03Z', '2025-09-03Z', 'd1', '2025-09-03Z', 'd1', '2025-09-03T00:10:00Z', NULL, 0),
  ('00000000-0000-4000-8000-000000000004', 'retry', 1, 'general_query', '', NULL, '{}', NULL, 'dispatcher error: x',
   '2025-09-04Z', '2025-09-04Z', 'd1', '2025-09-04Z', NULL, NULL, '2099-01-01Z', 0),
  ('00000000-0000-4000-8000-000000000005', 'failed', 3, 'graph_embed', '', NULL, '{}', 'null', 'Max attempts (3) exceeded',
   '2025-09-05Z', '2025-09-05Z', 'd1', '2025-09-05Z', 'd1', NULL, NULL, 0),
  ('00000000-0000-4000-8000-000000000006', 'cancelled', 0, 'general_query', '', NULL, '{}', NULL, NULL, '2025-09-06Z',
   '2025-09-06Z', NULL, NULL, NULL, NULL, NULL, 0),
  ('00000000-0000-4000-8000-000000000007', 'created', 0, 'hgnn', '', NULL, '{}', NULL, NULL, '2025-09-07Z', '2025-09-07Z',
   NULL, NULL, NULL, NULL, NULL, 0),
  ('00000000-0000-4000-8000-000000000008', 'queued', 1, 'after_two', '', NULL, '[1]', NULL, 'recovered', '2025-09-08Z',
   '2025-09-08Z', 'd1', '2025-09-08Z', NULL, NULL, NULL, 0),
  ('00000000-0000-4000-8000-000000000009', 'queued', 0, 'after_failed', '', NULL, '{}', NULL, NULL, '2025-09-09Z',
   '2025-09-09Z', NULL, NULL, NULL, NULL, NULL, 0),
  ('00000000-0000-4000-8000-000000000010', 'completed', 0, 'graph_rag_query', '', NULL, '{}', '[]', NULL, '2025-09-10Z',
   '2025-09-10Z', NULL, NULL, 'g0', NULL, NULL, 0);
INSERT INTO task_depends_on_task (src_task_id, dst_task_id) VALUES
  ('00000000-0000-4000-8000-000000000008', '00000000-0000-4000-8000-000000000001'),
  ('00000000-0000-4000-8000-000000000008', '00000000-0000-4000-8000-000000000002'),
  ('00000000-0000-4000-8000-000000000009', '00000000-0000-4000-8000-000000000005'),
  ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000008');
INSERT INTO facts (id, text, tags, meta_data) VALUES
  ('00000000-0000-4000-8000-00000000000a', 'Elephants remember', '{animals,"a b"}', '{"k": 1}'),
  ('00000000-0000-4000-8000-00000000000b', 'Nothing else', NULL, NULL);
INSERT INTO task_produces_fact (task_id, fact_id) VALUES
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-00000000000a');
INSERT INTO holons (uuid, embedding, meta) VALUES (gen_random_uuid(), '{0.5}', '{}'), (gen_random_uuid(), '{0.25}', '{}');
INSERT INTO graph_embeddings (node_id, label, emb) VALUES (1, 'a', '{1, 2}');
INSERT INTO agent_registry (agent_id, display_name, props) VALUES ('a1', 'Ann', '{"n": 1}'), ('a2', NULL, NULL);
INSERT INTO organ_registry (organ_id, agent_id, kind, props) VALUES ('o1', 'a1', 'utility', '{}'), ('o2', NULL, NULL, NULL);
INSERT INTO agent_member_of_organ (agent_id, organ_id, created_at) VALUES
  ('a1', 'o1', '2025-01-01Z'), ('a1', 'o2', '2025-02-01Z'), ('a2', 'o1', '2025-01-01Z');
INSERT INTO cluster_metadata (id, current_epoch) VALUES (1, '00000000-0000-4000-8000-0000000000ee');
INSERT INTO registry_instance (instance_id, logical_id, cluster_epoch, status, actor_name, ip_address, pid) VALUES
  ('00000000-0000-4000-8000-0000000000aa', 'o1', '00000000-0000-4000-8000-0000000000ee', 'alive', 'o1', '10.0.0.1', 7);
)sql";

}  // namespace seedcore::store::postgres
