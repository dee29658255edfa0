-- What services remember between messages: the thread of a group, the message to update. Times are milliseconds since 1970.
CREATE TABLE memory (
  key     TEXT NOT NULL PRIMARY KEY,
  value   TEXT NOT NULL,
  expires BIGINT NOT NULL
);
