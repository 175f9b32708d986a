#pragma once

#include <string>
#include <string_view>

/// For tests: the rows of a store with tasks in flight, by statements that every schema since the first has taken. `@N`
/// is a time N seconds after the store's first task.
namespace seedcore::store {

/// 1 running until @40, 2 queued, 3 retried at @60, 4 completed, 5 waits for 1, 6 held, 7 queued with a key.
inline constexpr std::string_view kTasksInFlight = R"sql(
INSERT INTO tasks (seq, id, type, DOMAIN status, runnable, blockers, priority, attempts, fencing_token, max_attempts,
  retry_base_ms, retry_max_ms, drift_score, created_at, updated_at, run_after, started_at, finished_at, lease_expires_at,
  owner_id, error, error_code, hold_reason) VALUES
  (1, '01900000-0000-7000-8000-000000000001', 'work', '', 'running', 0, 0, 5, 1, 1, 3, 10000, 300000, 0.0, @0, @10, NULL,
   @10, NULL, @40, 'w', NULL, NULL, NULL),
  (2, '01900000-0000-7000-8000-000000000002', 'work', '', 'queued', 1, 0, 5, 0, 0, 3, 10000, 300000, 0.0, @1, @1, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '01900000-0000-7000-8000-000000000003', 'work', '', 'retry', 2, 0, 5, 1, 1, 3, 10000, 300000, 0.0, @2, @10, @60,
   @10, NULL, NULL, NULL, 'the work failed', 'unavailable', NULL),
  (4, '01900000-0000-7000-8000-000000000004', 'work', '', 'completed', 0, 0, 5, 1, 1, 3, 10000, 300000, 0.0, @3, @11, NULL,
   @10, @11, NULL, NULL, NULL, NULL, NULL),
  (5, '01900000-0000-7000-8000-000000000005', 'work', '', 'queued', 3, 1, 5, 0, 0, 3, 10000, 300000, 0.0, @4, @4, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (6, '01900000-0000-7000-8000-000000000006', 'work', '', 'created', 0, 0, 5, 1, 1, 3, 10000, 300000, 0.0, @5, @11, NULL,
   @10, NULL, NULL, NULL, NULL, NULL, 'ask somebody'),
  (7, '01900000-0000-7000-8000-000000000007', 'keyed', '', 'queued', 1, 0, 5, 0, 0, 3, 10000, 300000, 0.0, @6, @6, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO task_payload (seq, TYPE description, params, depends_on, idempotency_key, content_hash) VALUES
  (1, 'work', '', 'in flight', '{"n":1}', NULL, NULL, NULL),
  (2, 'work', '', '', '{}', NULL, NULL, NULL),
  (3, 'work', '', '', '{}', NULL, NULL, NULL),
  (4, 'work', '', '', '{}', NULL, NULL, NULL),
  (5, 'work', '', '', '{}', '["01900000-0000-7000-8000-000000000001"]', NULL, NULL),
  (6, 'work', '', '', '{}', NULL, NULL, NULL),
  (7, 'keyed', '', '', '{"n":7}', NULL, 'once', CONTENT_HASH);
INSERT INTO task_result (seq, result) VALUES (4, '{"answer":42}');
INSERT INTO task_depends_on_task (src_task_id, dst_task_id) VALUES
  ('01900000-0000-7000-8000-000000000005', '01900000-0000-7000-8000-000000000001');
INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail) VALUES
  (1, @0, 'submitted', 'queued', 0, 0, NULL, NULL), (2, @1, 'submitted', 'queued', 0, 0, NULL, NULL),
  (3, @2, 'submitted', 'queued', 0, 0, NULL, NULL), (4, @3, 'submitted', 'queued', 0, 0, NULL, NULL),
  (5, @4, 'submitted', 'queued', 0, 0, NULL, NULL), (6, @5, 'submitted', 'queued', 0, 0, NULL, NULL),
  (7, @6, 'submitted', 'queued', 0, 0, NULL, NULL), (1, @10, 'claimed', 'running', 1, 1, 'w', NULL),
  (3, @10, 'claimed', 'running', 1, 1, 'w', NULL), (4, @10, 'claimed', 'running', 1, 1, 'w', NULL),
  (6, @10, 'claimed', 'running', 1, 1, 'w', NULL), (3, @10, 'retry', 'retry', 1, 1, 'w', 'the work failed'),
  (4, @11, 'completed', 'completed', 1, 1, 'w', NULL), (6, @11, 'held', 'created', 1, 1, 'w', 'ask somebody');
)sql";

/// SQLite counts as its writer goes; in PostgreSQL a trigger does.
inline constexpr std::string_view kCountsOfSqlite = R"sql(
UPDATE task_count SET n = CASE status WHEN 'queued' THEN 3 WHEN 'running' THEN 1 WHEN 'retry' THEN 1
  WHEN 'completed' THEN 1 WHEN 'created' THEN 1 ELSE 0 END;
)sql";

inline constexpr std::string_view kKnowledge = R"sql(
INSERT INTO facts (id, text, tags, meta_data, created_at, updated_at) VALUES
  ('01900000-0000-7000-8000-0000000000f1', 'Elephants remember', TAGS, '{"k":1}', @11, @11);
INSERT INTO task_produces_fact (task_id, fact_id) VALUES
  ('01900000-0000-7000-8000-000000000004', '01900000-0000-7000-8000-0000000000f1');
INSERT INTO flashbulb_incidents (incident_id, salience_score, event_data, created_at) VALUES
  ('01900000-0000-7000-8000-0000000000e1', 0.9, '{"what":"heat"}', @11);
INSERT INTO energy_ledger (tx_id, at, scope, scope_id, task_id, energy_before, energy_after, delta_e, cost, balance_after,
  breakdown, meta) VALUES
  ('01900000-0000-7000-8000-0000000000a1', @11, 'agent', 'a1', NULL, 0.0, -2.0, -2.0, 0.5, 1.5, '{}', '{}');
INSERT INTO stream_state (kind, key, state, updated_at) VALUES ('ocps', 'work', '{"s":0.25}', @11);
)sql";

inline constexpr std::string_view kRegistry = R"sql(
INSERT INTO cluster_metadata (id, current_epoch, updated_at) VALUES (1, '01900000-0000-7000-8000-0000000000ee', @0);
INSERT INTO organ_registry (organ_id, kind, props, created_at, updated_at) VALUES ('o1', 'utility', '{}', @0, @0);
INSERT INTO agent_registry (agent_id, display_name, props, created_at, updated_at) VALUES ('a1', NULL, '{}', @0, @0);
INSERT INTO agent_member_of_organ (agent_id, organ_id, created_at) VALUES ('a1', 'o1', @0);
INSERT INTO routing_rule (task_type, domain, logical_id, updated_at) VALUES ('work', '', 'o1', @0);
)sql";

}  // namespace seedcore::store
