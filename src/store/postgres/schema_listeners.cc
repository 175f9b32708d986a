#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// The longer register_instance takes the calls of the shorter one as well.
const char kSchemaListeners[] = R"sql(
ALTER TABLE registry_instance ADD COLUMN service TEXT NOT NULL DEFAULT '';  -- empty: serves nothing itself
ALTER TABLE registry_instance ADD COLUMN address TEXT NOT NULL DEFAULT '';  -- HOST:PORT

DROP FUNCTION register_instance(text, text, text, text, text, text, text, integer, timestamptz, instancestatus);
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

CREATE VIEW active_listeners AS
  SELECT * FROM registry_instance
  WHERE status = 'alive' AND address <> '' AND last_heartbeat > now() - interval '15 seconds';
)sql";

}  // namespace seedcore::store::postgres
