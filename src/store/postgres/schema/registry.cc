#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// The views and functions are for people and other programs, by the database's clock; the store itself passes its own.
const char kRegistry[] = R"sql(
CREATE TYPE instancestatus AS ENUM ('starting', 'alive', 'draining', 'dead');

CREATE TABLE cluster_metadata (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  current_epoch TEXT NOT NULL,
  updated_at    TIMESTAMPTZ NOT NULL
);

CREATE TABLE registry_instance (
  instance_id    TEXT PRIMARY KEY,
  logical_id     TEXT NOT NULL,
  cluster_epoch  TEXT NOT NULL,
  status         instancestatus NOT NULL DEFAULT 'starting',
  actor_name     TEXT NOT NULL,
  serve_route    TEXT NOT NULL,
  node_id        TEXT NOT NULL,
  ip_address     TEXT NOT NULL,
  pid            INTEGER NOT NULL,
  started_at     TIMESTAMPTZ NOT NULL,
  stopped_at     TIMESTAMPTZ,
  last_heartbeat TIMESTAMPTZ NOT NULL,
  service        TEXT NOT NULL DEFAULT '',            -- empty: serves nothing itself
  address        TEXT NOT NULL DEFAULT ''             -- HOST:PORT
);
CREATE INDEX idx_registry_instance_logical ON registry_instance (logical_id, status, cluster_epoch);
CREATE INDEX idx_registry_instance_heartbeat ON registry_instance (status, last_heartbeat DESC);

CREATE VIEW active_instances AS
  SELECT i.* FROM registry_instance i JOIN cluster_metadata c ON c.id = 1 AND c.current_epoch = i.cluster_epoch
  WHERE i.status = 'alive' AND i.last_heartbeat > now() - interval '15 seconds';
CREATE VIEW active_instance AS
  SELECT DISTINCT ON (logical_id) * FROM active_instances
  ORDER BY logical_id, last_heartbeat DESC, started_at, instance_id;

CREATE VIEW active_listeners AS
  SELECT * FROM registry_instance
  WHERE status = 'alive' AND address <> '' AND last_heartbeat > now() - interval '15 seconds';

CREATE FUNCTION set_current_epoch(p_epoch text, p_now timestamptz DEFAULT now()) RETURNS void LANGUAGE sql AS $$
  INSERT INTO cluster_metadata (id, current_epoch, updated_at) VALUES (1, p_epoch, p_now)
  ON CONFLICT (id) DO UPDATE SET current_epoch = excluded.current_epoch, updated_at = excluded.updated_at
$$;
CREATE FUNCTION register_instance(p_instance_id text, p_logical_id text, p_cluster_epoch text, p_actor_name text,
                                  p_serve_route text, p_node_id text, p_ip_address text, p_pid integer,
                                  p_now timestamptz DEFAULT now(), p_status instancestatus DEFAULT 'starting',
                                  p_service text DEFAULT '', p_address text DEFAULT '')
RETURNS void LANGUAGE sql AS $$
  INSERT INTO registry_instance (instance_id, logical_id, cluster_epoch, status, actor_name, serve_route, node_id,
                                 ip_address, pid, started_at, last_heartbeat, service, address)
  VALUES (p_instance_id, p_logical_id, p_cluster_epoch, p_status, p_actor_name, p_serve_route, p_node_id, p_ip_address,
          p_pid, p_now, p_now, p_service, p_address)
  ON CONFLICT (instance_id) DO UPDATE SET last_heartbeat = excluded.last_heartbeat
$$;
-- These return how many instances they changed.
CREATE FUNCTION set_instance_status(p_instance_id text, p_status instancestatus, p_now timestamptz DEFAULT now())
RETURNS bigint LANGUAGE sql AS $$
  WITH changed AS (
    UPDATE registry_instance SET status = p_status,
      stopped_at = CASE WHEN p_status IN ('draining', 'dead') THEN p_now ELSE stopped_at END
    WHERE instance_id = p_instance_id RETURNING 1)
  SELECT count(*) FROM changed
$$;
CREATE FUNCTION beat(p_instance_id text, p_now timestamptz DEFAULT now()) RETURNS bigint LANGUAGE sql AS $$
  WITH changed AS (
    UPDATE registry_instance SET last_heartbeat = p_now WHERE instance_id = p_instance_id RETURNING 1)
  SELECT count(*) FROM changed
$$;
CREATE FUNCTION expire_stale_instances(p_seconds integer DEFAULT 15, p_now timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE sql AS $$
  WITH changed AS (
    UPDATE registry_instance SET status = 'dead', stopped_at = p_now
    WHERE status <> 'dead' AND last_heartbeat < p_now - make_interval(secs => p_seconds) RETURNING 1)
  SELECT count(*) FROM changed
$$;
CREATE FUNCTION expire_old_epoch_instances(p_now timestamptz DEFAULT now()) RETURNS bigint LANGUAGE sql AS $$
  WITH changed AS (
    UPDATE registry_instance SET status = 'dead', stopped_at = p_now
    WHERE status <> 'dead'
      AND cluster_epoch IS DISTINCT FROM (SELECT current_epoch FROM cluster_metadata WHERE id = 1) RETURNING 1)
  SELECT count(*) FROM changed
$$;

CREATE TABLE organ_registry (
  organ_id   TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  props      JSON NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE agent_registry (
  agent_id     TEXT PRIMARY KEY,
  display_name TEXT,
  props        JSON NOT NULL,
  created_at   TIMESTAMPTZ NOT NULL,
  updated_at   TIMESTAMPTZ NOT NULL
);

-- An agent belongs to at most one organ.
CREATE TABLE agent_member_of_organ (
  agent_id   TEXT PRIMARY KEY REFERENCES agent_registry (agent_id) ON DELETE CASCADE,
  organ_id   TEXT NOT NULL REFERENCES organ_registry (organ_id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_agent_member_of_organ_organ ON agent_member_of_organ (organ_id);

CREATE TABLE routing_rule (
  task_type  TEXT NOT NULL,
  domain     TEXT NOT NULL,       -- empty: any
  logical_id TEXT NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (task_type, domain)
);
)sql";

}  // namespace seedcore::store::postgres::schema
