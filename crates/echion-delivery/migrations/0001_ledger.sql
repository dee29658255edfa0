-- What is remembered of every resource, and every delivery with its attempts.
-- Times are milliseconds since 1970, except state.since, which is in seconds like the annotation it mirrors.
CREATE TABLE resource (
  kind      TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  uid       TEXT NOT NULL,
  PRIMARY KEY (kind, namespace, name)
);

CREATE TABLE state (
  kind      TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  key       TEXT NOT NULL,
  since     BIGINT NOT NULL,
  PRIMARY KEY (kind, namespace, name, key)
);

CREATE TABLE delivery (
  id        TEXT NOT NULL PRIMARY KEY,
  kind      TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  service   TEXT NOT NULL,
  intent    TEXT NOT NULL,
  status    TEXT NOT NULL,
  attempts  BIGINT NOT NULL,
  created   BIGINT NOT NULL,
  due       BIGINT NOT NULL,
  detail    TEXT NOT NULL,
  fix       TEXT NOT NULL
);

CREATE INDEX delivery_due ON delivery (status, due);

CREATE INDEX delivery_queue ON delivery (status, service, id);

CREATE TABLE attempt (
  delivery TEXT NOT NULL,
  channel  TEXT NOT NULL,
  started  BIGINT NOT NULL,
  finished BIGINT,
  outcome  TEXT,
  detail   TEXT,
  PRIMARY KEY (delivery, started)
);

CREATE INDEX attempt_channel ON attempt (channel, started);
