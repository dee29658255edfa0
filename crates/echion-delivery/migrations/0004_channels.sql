-- The channel is the queue; a resource has an API group; the attempt that is on its way stands in its delivery. Times are milliseconds since
-- 1970, except state.since, which is in seconds like the annotation it mirrors. A resource is `group/kind/namespace/name`; rows of before have
-- the group `?` unless their kind tells it.
CREATE TABLE resource_4 (
  resource     TEXT NOT NULL PRIMARY KEY,
  uid          TEXT NOT NULL,
  mirrored     TEXT,
  unwritten    BIGINT NOT NULL DEFAULT 0,
  absent_since BIGINT
);

INSERT INTO resource_4 (resource, uid, mirrored)
SELECT CASE WHEN kind IN ('Application', 'AppProject', 'ApplicationSet', 'Rollout') THEN 'argoproj.io' ELSE '?' END
       || '/' || kind || '/' || namespace || '/' || name, uid, mirrored FROM resource;

CREATE TABLE state_4 (
  resource TEXT NOT NULL,
  key      TEXT NOT NULL,
  since    BIGINT NOT NULL,
  PRIMARY KEY (resource, key)
);

INSERT INTO state_4
SELECT CASE WHEN kind IN ('Application', 'AppProject', 'ApplicationSet', 'Rollout') THEN 'argoproj.io' ELSE '?' END
       || '/' || kind || '/' || namespace || '/' || name, key, since FROM state;

CREATE TABLE delivery_4 (
  id               TEXT NOT NULL PRIMARY KEY,
  resource         TEXT NOT NULL,
  uid              TEXT NOT NULL DEFAULT '',
  owner            TEXT NOT NULL,
  service          TEXT NOT NULL,
  recipient        TEXT NOT NULL,
  templates        TEXT NOT NULL,
  channel          TEXT NOT NULL,
  state_key        TEXT NOT NULL,
  intent           TEXT NOT NULL,
  status           TEXT NOT NULL,
  created          BIGINT NOT NULL,
  due              BIGINT,
  claimed          BIGINT,
  first_attempt    BIGINT,
  ended            BIGINT,
  attempts         BIGINT NOT NULL DEFAULT 0,
  unknown          BIGINT NOT NULL DEFAULT 0,
  revived          BIGINT NOT NULL DEFAULT 0,
  class            TEXT NOT NULL DEFAULT '',
  detail           TEXT NOT NULL DEFAULT '',
  hint             TEXT NOT NULL DEFAULT '',
  service_version  TEXT,
  template_version TEXT
);

INSERT INTO delivery_4 (id, resource, owner, service, recipient, templates, channel, state_key, intent, status, created, due,
                        first_attempt, ended, attempts, class, detail, hint)
SELECT id,
       CASE WHEN kind IN ('Application', 'AppProject', 'ApplicationSet', 'Rollout') THEN 'argoproj.io' ELSE '?' END
       || '/' || kind || '/' || namespace || '/' || name,
       COALESCE(json_extract(intent, '$.owner'), ''),
       json_extract(intent, '$.destination.service'),
       json_extract(intent, '$.destination.recipient'),
       json_extract(intent, '$.templates'),
       service, state_key, intent, status, created,
       CASE status WHEN 'pending' THEN due END,
       CASE WHEN attempts > 0 THEN created END,
       CASE status WHEN 'pending' THEN NULL ELSE due END,
       attempts,
       CASE status WHEN 'delivered' THEN 'delivered' WHEN 'parked' THEN 'rejected' ELSE '' END,
       detail, fix
FROM delivery;

CREATE TABLE attempt_4 (
  delivery TEXT NOT NULL,
  channel  TEXT NOT NULL,
  started  BIGINT NOT NULL,
  finished BIGINT NOT NULL,
  outcome  TEXT NOT NULL,
  detail   TEXT NOT NULL,
  PRIMARY KEY (delivery, started)
);

INSERT INTO attempt_4
SELECT delivery, channel, started, COALESCE(finished, started), COALESCE(outcome, 'interrupted'), COALESCE(detail, '') FROM attempt;

DROP TABLE attempt;
DROP TABLE delivery;
DROP TABLE state;
DROP TABLE resource;
ALTER TABLE resource_4 RENAME TO resource;
ALTER TABLE state_4 RENAME TO state;
ALTER TABLE delivery_4 RENAME TO delivery;
ALTER TABLE attempt_4 RENAME TO attempt;

-- A channel that was told to pause.
CREATE TABLE channel (
  name         TEXT NOT NULL PRIMARY KEY,
  paused_until BIGINT NOT NULL
);

CREATE INDEX resource_unwritten ON resource (resource) WHERE unwritten > 0;
CREATE INDEX state_since ON state (resource, since);
CREATE INDEX delivery_queue ON delivery (channel, due, id) WHERE due IS NOT NULL;
CREATE INDEX delivery_order ON delivery (channel, resource, id) WHERE due IS NOT NULL;
CREATE INDEX delivery_claimed ON delivery (id) WHERE claimed IS NOT NULL;
CREATE INDEX delivery_open ON delivery (status, channel) WHERE status <> 'delivered';
CREATE INDEX delivery_state ON delivery (resource, state_key, id);
CREATE INDEX delivery_ended ON delivery (ended) WHERE status = 'delivered';
CREATE INDEX attempt_channel ON attempt (channel, finished);
CREATE INDEX attempt_finished ON attempt (finished);
