-- What is no longer remembered is found without reading everything that is.
CREATE INDEX memory_expires ON memory (expires);
