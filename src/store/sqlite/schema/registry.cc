#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

const char kRegistry[] = R"sql(
CREATE TABLE cluster_metadata (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  current_epoch TEXT NOT NULL,
  updated_at    INTEGER NOT NULL
);

CREATE TABLE registry_instance (
  instance_id    TEXT PRIMARY KEY,
  logical_id     TEXT NOT NULL,
  cluster_epoch  TEXT NOT NULL,
  status         TEXT NOT NULL CHECK (status = 'starting' OR status = 'alive' OR status = 'draining' OR status = 'dead'),
  actor_name     TEXT NOT NULL,
  serve_route    TEXT NOT NULL,
  node_id        TEXT NOT NULL,
  ip_address     TEXT NOT NULL,
  pid            INTEGER NOT NULL,
  started_at     INTEGER NOT NULL,
  stopped_at     INTEGER,
  last_heartbeat INTEGER NOT NULL,
  service        TEXT NOT NULL DEFAULT '',  -- empty: serves nothing itself
  address        TEXT NOT NULL DEFAULT ''   -- HOST:PORT
) WITHOUT ROWID;
CREATE INDEX idx_registry_instance_logical ON registry_instance (logical_id, status, cluster_epoch);
CREATE INDEX idx_registry_instance_heartbeat ON registry_instance (status, last_heartbeat DESC);

CREATE TABLE organ_registry (
  organ_id   TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  props      TEXT NOT NULL,       -- JSON object
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE agent_registry (
  agent_id     TEXT PRIMARY KEY,
  display_name TEXT,
  props        TEXT NOT NULL,     -- JSON object
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
) WITHOUT ROWID;

-- An agent belongs to at most one organ.
CREATE TABLE agent_member_of_organ (
  agent_id   TEXT PRIMARY KEY REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  organ_id   TEXT NOT NULL REFERENCES organ_registry (organ_id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX idx_agent_member_of_organ_organ ON agent_member_of_organ (organ_id);

CREATE TABLE routing_rule (
  task_type  TEXT NOT NULL,
  domain     TEXT NOT NULL,       -- empty: any
  logical_id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (task_type, domain)
) WITHOUT ROWID;

-- Written by the health check, to know that writing works.
CREATE TABLE store_health (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  checked_at INTEGER NOT NULL
);
)sql";

}  // namespace seedcore::store::sqlite::schema
