-- What was last written into the annotation of a resource, and which state key a delivery accounts for.
ALTER TABLE resource ADD COLUMN mirrored TEXT;

ALTER TABLE delivery ADD COLUMN state_key TEXT NOT NULL DEFAULT '';

CREATE INDEX delivery_state ON delivery (kind, namespace, name, state_key, id);

CREATE INDEX state_since ON state (kind, namespace, name, since);
