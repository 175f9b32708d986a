#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

const char kGraph[] = R"sql(
CREATE TABLE artifact (
  artifact_id UUID,
  uri TEXT NOT NULL,
  kind TEXT NOT NULL,
  props JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (artifact_id)
);
CREATE TABLE capability (
  capability_id UUID,
  name TEXT NOT NULL UNIQUE,
  props JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (capability_id)
);
CREATE TABLE memory_cell (
  memory_cell_id UUID,
  scope TEXT NOT NULL,
  mkey TEXT NOT NULL,
  version INTEGER NOT NULL,
  props JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  UNIQUE (scope, mkey, version),
  PRIMARY KEY (memory_cell_id)
);
CREATE TABLE model (
  model_name TEXT,
  meta JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (model_name)
);
CREATE TABLE policy (
  policy_name TEXT,
  meta JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (policy_name)
);
CREATE TABLE service (
  service_name TEXT,
  meta JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (service_name)
);
CREATE TABLE skill (
  skill_name TEXT,
  meta JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (skill_name)
);
CREATE TABLE task_produces_artifact (
  task_id UUID NOT NULL,
  artifact_id UUID NOT NULL REFERENCES artifact (artifact_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_id, artifact_id)
);
CREATE INDEX idx_task_produces_artifact_artifact_id ON task_produces_artifact (artifact_id, task_id);
CREATE TABLE task_uses_capability (
  task_id UUID NOT NULL,
  capability_id UUID NOT NULL REFERENCES capability (capability_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_id, capability_id)
);
CREATE INDEX idx_task_uses_capability_capability_id ON task_uses_capability (capability_id, task_id);
CREATE TABLE task_reads_memory (
  task_id UUID NOT NULL,
  memory_cell_id UUID NOT NULL REFERENCES memory_cell (memory_cell_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_id, memory_cell_id)
);
CREATE INDEX idx_task_reads_memory_memory_cell_id ON task_reads_memory (memory_cell_id, task_id);
CREATE TABLE task_writes_memory (
  task_id UUID NOT NULL,
  memory_cell_id UUID NOT NULL REFERENCES memory_cell (memory_cell_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_id, memory_cell_id)
);
CREATE INDEX idx_task_writes_memory_memory_cell_id ON task_writes_memory (memory_cell_id, task_id);
CREATE TABLE task_executed_by_organ (
  task_id UUID NOT NULL,
  organ_id TEXT NOT NULL REFERENCES organ_registry (organ_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_id, organ_id)
);
CREATE INDEX idx_task_executed_by_organ_organ_id ON task_executed_by_organ (organ_id, task_id);
CREATE TABLE task_owned_by_agent (
  task_id UUID NOT NULL,
  agent_id TEXT NOT NULL REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_id, agent_id)
);
CREATE INDEX idx_task_owned_by_agent_agent_id ON task_owned_by_agent (agent_id, task_id);
CREATE TABLE task_reads_fact (
  task_id UUID NOT NULL,
  fact_id UUID NOT NULL REFERENCES facts (id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_id, fact_id)
);
CREATE INDEX idx_task_reads_fact_fact_id ON task_reads_fact (fact_id, task_id);
CREATE TABLE agent_collab_agent (
  src_agent TEXT NOT NULL REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  dst_agent TEXT NOT NULL REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (src_agent, dst_agent)
);
CREATE INDEX idx_agent_collab_agent_dst_agent ON agent_collab_agent (dst_agent, src_agent);
CREATE TABLE agent_uses_model (
  agent_id TEXT NOT NULL REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  model_name TEXT NOT NULL REFERENCES model (model_name) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (agent_id, model_name)
);
CREATE INDEX idx_agent_uses_model_model_name ON agent_uses_model (model_name, agent_id);
CREATE TABLE agent_owns_memory_cell (
  agent_id TEXT NOT NULL REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  memory_cell_id UUID NOT NULL REFERENCES memory_cell (memory_cell_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (agent_id, memory_cell_id)
);
CREATE INDEX idx_agent_owns_memory_cell_memory_cell_id ON agent_owns_memory_cell (memory_cell_id, agent_id);
CREATE TABLE organ_provides_skill (
  organ_id TEXT NOT NULL REFERENCES organ_registry (organ_id) ON DELETE CASCADE,
  skill_name TEXT NOT NULL REFERENCES skill (skill_name) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organ_id, skill_name)
);
CREATE INDEX idx_organ_provides_skill_skill_name ON organ_provides_skill (skill_name, organ_id);
CREATE TABLE organ_provides_capability (
  organ_id TEXT NOT NULL REFERENCES organ_registry (organ_id) ON DELETE CASCADE,
  capability_id UUID NOT NULL REFERENCES capability (capability_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organ_id, capability_id)
);
CREATE INDEX idx_organ_provides_capability_capability_id ON organ_provides_capability (capability_id, organ_id);
CREATE TABLE organ_uses_service (
  organ_id TEXT NOT NULL REFERENCES organ_registry (organ_id) ON DELETE CASCADE,
  service_name TEXT NOT NULL REFERENCES service (service_name) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organ_id, service_name)
);
CREATE INDEX idx_organ_uses_service_service_name ON organ_uses_service (service_name, organ_id);
CREATE TABLE organ_governed_by_policy (
  organ_id TEXT NOT NULL REFERENCES organ_registry (organ_id) ON DELETE CASCADE,
  policy_name TEXT NOT NULL REFERENCES policy (policy_name) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organ_id, policy_name)
);
CREATE INDEX idx_organ_governed_by_policy_policy_name ON organ_governed_by_policy (policy_name, organ_id);

-- A node keeps its number as long as what it stands for exists, and no other node ever gets it.
CREATE TABLE graph_node_map (
  node_id     BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  node_type   TEXT NOT NULL,
  ext_table   TEXT NOT NULL,
  ext_uuid    UUID,
  ext_text_id TEXT,
  created_at  TIMESTAMPTZ NOT NULL,
  updated_at  TIMESTAMPTZ NOT NULL,
  UNIQUE (node_type, ext_uuid),
  UNIQUE (node_type, ext_text_id),
  CHECK ((ext_uuid IS NULL) <> (ext_text_id IS NULL))
);
CREATE TABLE graph_embeddings (
  node_id       BIGINT NOT NULL REFERENCES graph_node_map (node_id) ON DELETE CASCADE,
  model         TEXT NOT NULL,
  model_version TEXT NOT NULL,
  label         TEXT NOT NULL,
  dims          INTEGER NOT NULL,
  emb           REAL[] NOT NULL,
  content_hash  TEXT NOT NULL,
  props         JSON NOT NULL,
  created_at    TIMESTAMPTZ NOT NULL,
  updated_at    TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (model, node_id)
);
CREATE INDEX idx_graph_embeddings_node ON graph_embeddings (node_id);

-- The ledger has an entry for each execution that an agent has ended.
CREATE VIEW task_executed_by_agent AS
  SELECT task_id, scope_id AS agent_id, at AS created_at, seq FROM energy_ledger
  WHERE scope = 'agent' AND task_id IS NOT NULL;

-- Edges between nodes that have a number.
CREATE VIEW hgnn_edges AS
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__depends_on__task' AS edge_type FROM task_depends_on_task e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.src_task_id
  JOIN graph_node_map d ON d.node_type = 'task' AND d.ext_uuid = e.dst_task_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__produces__artifact' AS edge_type FROM task_produces_artifact e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'artifact' AND d.ext_uuid = e.artifact_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__uses__capability' AS edge_type FROM task_uses_capability e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'capability' AND d.ext_uuid = e.capability_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__reads__memory_cell' AS edge_type FROM task_reads_memory e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'memory_cell' AND d.ext_uuid = e.memory_cell_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__writes__memory_cell' AS edge_type FROM task_writes_memory e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'memory_cell' AND d.ext_uuid = e.memory_cell_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__executed_by__organ' AS edge_type FROM task_executed_by_organ e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'organ' AND d.ext_text_id = e.organ_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__executed_by__agent' AS edge_type FROM task_executed_by_agent e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid::text = e.task_id
  JOIN graph_node_map d ON d.node_type = 'agent' AND d.ext_text_id = e.agent_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__owned_by__agent' AS edge_type FROM task_owned_by_agent e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'agent' AND d.ext_text_id = e.agent_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__reads__fact' AS edge_type FROM task_reads_fact e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'fact' AND d.ext_uuid = e.fact_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'task__produces__fact' AS edge_type FROM task_produces_fact e
  JOIN graph_node_map s ON s.node_type = 'task' AND s.ext_uuid = e.task_id
  JOIN graph_node_map d ON d.node_type = 'fact' AND d.ext_uuid = e.fact_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'agent__member_of__organ' AS edge_type FROM agent_member_of_organ e
  JOIN graph_node_map s ON s.node_type = 'agent' AND s.ext_text_id = e.agent_id
  JOIN graph_node_map d ON d.node_type = 'organ' AND d.ext_text_id = e.organ_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'agent__collab__agent' AS edge_type FROM agent_collab_agent e
  JOIN graph_node_map s ON s.node_type = 'agent' AND s.ext_text_id = e.src_agent
  JOIN graph_node_map d ON d.node_type = 'agent' AND d.ext_text_id = e.dst_agent
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'agent__uses__model' AS edge_type FROM agent_uses_model e
  JOIN graph_node_map s ON s.node_type = 'agent' AND s.ext_text_id = e.agent_id
  JOIN graph_node_map d ON d.node_type = 'model' AND d.ext_text_id = e.model_name
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'agent__owns__memory_cell' AS edge_type FROM agent_owns_memory_cell e
  JOIN graph_node_map s ON s.node_type = 'agent' AND s.ext_text_id = e.agent_id
  JOIN graph_node_map d ON d.node_type = 'memory_cell' AND d.ext_uuid = e.memory_cell_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'organ__provides__skill' AS edge_type FROM organ_provides_skill e
  JOIN graph_node_map s ON s.node_type = 'organ' AND s.ext_text_id = e.organ_id
  JOIN graph_node_map d ON d.node_type = 'skill' AND d.ext_text_id = e.skill_name
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'organ__provides__capability' AS edge_type FROM organ_provides_capability e
  JOIN graph_node_map s ON s.node_type = 'organ' AND s.ext_text_id = e.organ_id
  JOIN graph_node_map d ON d.node_type = 'capability' AND d.ext_uuid = e.capability_id
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'organ__uses__service' AS edge_type FROM organ_uses_service e
  JOIN graph_node_map s ON s.node_type = 'organ' AND s.ext_text_id = e.organ_id
  JOIN graph_node_map d ON d.node_type = 'service' AND d.ext_text_id = e.service_name
  UNION ALL
  SELECT s.node_id AS src_node_id, d.node_id AS dst_node_id, 'organ__governed_by__policy' AS edge_type FROM organ_governed_by_policy e
  JOIN graph_node_map s ON s.node_type = 'organ' AND s.ext_text_id = e.organ_id
  JOIN graph_node_map d ON d.node_type = 'policy' AND d.ext_text_id = e.policy_name;

CREATE VIEW task_embeddings AS
  SELECT n.ext_uuid AS task_id, e.node_id, e.emb, e.label, e.props, e.model, e.model_version, e.created_at, e.updated_at
  FROM graph_embeddings e JOIN graph_node_map n ON n.node_id = e.node_id WHERE n.node_type = 'task';
CREATE VIEW graph_tasks AS
  SELECT t.id, t.type, t.status, t.attempts, p.params, r.result, t.error, t.created_at, t.updated_at
  FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN task_result r ON r.seq = t.seq
  WHERE t.type IN ('graph_embed', 'graph_embed_v2', 'graph_rag_query', 'graph_rag_query_v2', 'graph_fact_embed',
                   'graph_fact_query', 'graph_sync_nodes');

-- No foreign key leads to tasks: it would cost every claim. These run when tasks are deleted, once per statement.
CREATE FUNCTION graph_forget_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM task_produces_artifact e USING gone g WHERE e.task_id = g.id;
  DELETE FROM task_uses_capability e USING gone g WHERE e.task_id = g.id;
  DELETE FROM task_reads_memory e USING gone g WHERE e.task_id = g.id;
  DELETE FROM task_writes_memory e USING gone g WHERE e.task_id = g.id;
  DELETE FROM task_executed_by_organ e USING gone g WHERE e.task_id = g.id;
  DELETE FROM task_owned_by_agent e USING gone g WHERE e.task_id = g.id;
  DELETE FROM task_reads_fact e USING gone g WHERE e.task_id = g.id;
  DELETE FROM graph_node_map n USING gone g WHERE n.node_type = 'task' AND n.ext_uuid = g.id;
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_leave_graph AFTER DELETE ON tasks REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION graph_forget_tasks();
-- Arguments: kind, column of the map, column of the table.
CREATE FUNCTION graph_forget_node() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DELETE FROM graph_node_map WHERE node_type = $1 AND %I = ($2).%I', TG_ARGV[1], TG_ARGV[2])
    USING TG_ARGV[0], OLD;
  RETURN NULL;
END $$;
CREATE TRIGGER agent_registry_leaves_graph AFTER DELETE ON agent_registry FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('agent', 'ext_text_id', 'agent_id');
CREATE TRIGGER organ_registry_leaves_graph AFTER DELETE ON organ_registry FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('organ', 'ext_text_id', 'organ_id');
CREATE TRIGGER facts_leaves_graph AFTER DELETE ON facts FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('fact', 'ext_uuid', 'id');
CREATE TRIGGER artifact_leaves_graph AFTER DELETE ON artifact FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('artifact', 'ext_uuid', 'artifact_id');
CREATE TRIGGER capability_leaves_graph AFTER DELETE ON capability FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('capability', 'ext_uuid', 'capability_id');
CREATE TRIGGER memory_cell_leaves_graph AFTER DELETE ON memory_cell FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('memory_cell', 'ext_uuid', 'memory_cell_id');
CREATE TRIGGER model_leaves_graph AFTER DELETE ON model FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('model', 'ext_text_id', 'model_name');
CREATE TRIGGER policy_leaves_graph AFTER DELETE ON policy FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('policy', 'ext_text_id', 'policy_name');
CREATE TRIGGER service_leaves_graph AFTER DELETE ON service FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('service', 'ext_text_id', 'service_name');
CREATE TRIGGER skill_leaves_graph AFTER DELETE ON skill FOR EACH ROW
  EXECUTE FUNCTION graph_forget_node('skill', 'ext_text_id', 'skill_name');
)sql";

}  // namespace seedcore::store::postgres::schema
