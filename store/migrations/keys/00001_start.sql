-- The keys of conversations, apart from the data and from its backups. Without
-- its key nothing that a conversation's parties said can be read again.

-- +goose Up
PRAGMA application_id = 0x6c65746b; -- "letk"

CREATE TABLE store (
    pair BLOB NOT NULL -- the same in the data: says that the two belong together
) STRICT;

CREATE TABLE keys (
    conversation TEXT NOT NULL PRIMARY KEY,
    key          BLOB NOT NULL CHECK (length(key) = 32)
) STRICT, WITHOUT ROWID;
