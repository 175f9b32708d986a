#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

const char kKnowledge[] = R"sql(
CREATE TABLE facts (
  seq        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  text       TEXT NOT NULL,
  tags       TEXT NOT NULL,       -- JSON array of strings
  meta_data  TEXT NOT NULL,       -- JSON object
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE TABLE fact_tag (
  tag TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES facts (seq) ON DELETE CASCADE,
  PRIMARY KEY (tag, seq)
) WITHOUT ROWID;
CREATE INDEX idx_fact_tag_seq ON fact_tag (seq);

-- The words of `facts.text`; the text itself is not stored twice.
CREATE VIRTUAL TABLE facts_text USING fts5 (text, content = 'facts', content_rowid = 'seq', tokenize = 'porter unicode61');
CREATE TRIGGER facts_inserted AFTER INSERT ON facts
BEGIN
  INSERT INTO facts_text (rowid, text) VALUES (NEW.seq, NEW.text);
  INSERT OR IGNORE INTO fact_tag (tag, seq) SELECT value, NEW.seq FROM json_each(NEW.tags);
END;
CREATE TRIGGER facts_deleted AFTER DELETE ON facts
BEGIN
  INSERT INTO facts_text (facts_text, rowid, text) VALUES ('delete', OLD.seq, OLD.text);
END;
CREATE TRIGGER facts_updated AFTER UPDATE OF text, tags ON facts
BEGIN
  INSERT INTO facts_text (facts_text, rowid, text) VALUES ('delete', OLD.seq, OLD.text);
  INSERT INTO facts_text (rowid, text) VALUES (NEW.seq, NEW.text);
  DELETE FROM fact_tag WHERE seq = OLD.seq;
  INSERT OR IGNORE INTO fact_tag (tag, seq) SELECT value, NEW.seq FROM json_each(NEW.tags);
END;

CREATE TABLE task_produces_fact (
  task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  fact_id TEXT NOT NULL REFERENCES facts (id) ON DELETE CASCADE,
  PRIMARY KEY (task_id, fact_id)
) WITHOUT ROWID;
CREATE INDEX idx_task_produces_fact_fact ON task_produces_fact (fact_id);

CREATE TABLE flashbulb_incidents (
  seq            INTEGER PRIMARY KEY,
  incident_id    TEXT NOT NULL UNIQUE,
  salience_score REAL NOT NULL,
  event_data     TEXT NOT NULL,   -- JSON object
  created_at     INTEGER NOT NULL
);
CREATE INDEX idx_flashbulb_incidents_salience ON flashbulb_incidents (salience_score);

CREATE TABLE energy_ledger (
  seq           INTEGER PRIMARY KEY,
  tx_id         TEXT NOT NULL UNIQUE,
  at            INTEGER NOT NULL,
  scope         TEXT NOT NULL,
  scope_id      TEXT NOT NULL,
  task_id       TEXT,             -- no foreign key: the ledger outlives its tasks
  energy_before REAL NOT NULL,
  energy_after  REAL NOT NULL,
  delta_e       REAL NOT NULL,
  cost          REAL NOT NULL,
  balance_after REAL NOT NULL,
  breakdown     TEXT NOT NULL,    -- JSON object
  meta          TEXT NOT NULL     -- JSON object
);
CREATE INDEX idx_energy_ledger_scope ON energy_ledger (scope, scope_id);
CREATE INDEX idx_energy_ledger_task ON energy_ledger (task_id) WHERE task_id IS NOT NULL;

CREATE TABLE stream_state (
  kind       TEXT NOT NULL,
  key        TEXT NOT NULL,
  state      TEXT NOT NULL,       -- JSON
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
-- For the look of the retention, which forgets the streams that were not touched for longest. PostgreSQL has no such
-- index: with it each update of a stream that is touched often would leave an entry behind in both indexes.
CREATE INDEX idx_stream_state_updated_at ON stream_state (kind, updated_at);
)sql";

}  // namespace seedcore::store::sqlite::schema
