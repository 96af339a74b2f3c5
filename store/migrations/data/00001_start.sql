-- Conversations, their turns, what became of their audio, and the journal.
--
-- Times are Unix milliseconds, UTC. Columns called *_sealed are ciphertext:
-- a nonce of 24 bytes, then XChaCha20-Poly1305 under the key of the
-- conversation, which is kept in the key store and nowhere here.
--
-- data_map says of every column what class of data it holds (interaction,
-- identifier, technical, operational), what for, and when it goes. A test
-- holds it against the schema: a column without a row fails the build.

-- +goose Up
PRAGMA application_id = 0x6c657468; -- "leth"

CREATE TABLE store (
    pair BLOB NOT NULL -- the same in the key store: says that the two belong together
) STRICT;

CREATE TABLE conversations (
    id             TEXT    NOT NULL PRIMARY KEY,
    channel        TEXT    NOT NULL,
    trunk          TEXT    NOT NULL,
    number         TEXT    NOT NULL,
    caller_sealed  BLOB    NOT NULL,
    profile        TEXT    NOT NULL,
    policy_version TEXT    NOT NULL,
    started_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL CHECK (expires_at > started_at),
    ended_at       INTEGER,
    outcome        TEXT,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX conversations_started ON conversations (started_at);
CREATE INDEX conversations_expires ON conversations (expires_at);
CREATE INDEX conversations_unsettled ON conversations (id) WHERE ended_at IS NULL;

CREATE TABLE turns (
    conversation TEXT    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL CHECK (seq > 0),
    party        TEXT    NOT NULL,
    text_sealed  BLOB    NOT NULL,
    masked       TEXT    NOT NULL, -- JSON: kinds and lengths of what redaction took out
    start_ms     INTEGER NOT NULL,
    end_ms       INTEGER NOT NULL,
    confidence   REAL    NOT NULL,
    interrupted  INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
    conversation TEXT    NOT NULL PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    counted      INTEGER NOT NULL, -- 0: the process died before it could count
    born         INTEGER NOT NULL,
    forgotten    INTEGER NOT NULL,
    held         INTEGER NOT NULL,
    longest_us   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    seq          INTEGER NOT NULL PRIMARY KEY,
    at_ns        INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    ticket       TEXT    NOT NULL,
    hash         BLOB    NOT NULL -- SHA-256 of the entry and of the hash before it
) STRICT;

CREATE TABLE data_map (
    tbl       TEXT NOT NULL,
    col       TEXT NOT NULL,
    class     TEXT NOT NULL CHECK (class IN ('interaction', 'identifier', 'technical', 'operational', 'none')),
    purpose   TEXT NOT NULL,
    retention TEXT NOT NULL,
    PRIMARY KEY (tbl, col)
) STRICT, WITHOUT ROWID;

INSERT INTO data_map (tbl, col, class, purpose, retention) VALUES
    ('store', 'pair', 'none', 'refuse a key store of other data', 'life of the store'),
    ('conversations', 'id', 'technical', 'name a conversation', 'expires_at'),
    ('conversations', 'channel', 'technical', 'support', 'expires_at'),
    ('conversations', 'trunk', 'operational', 'diagnostics', 'expires_at'),
    ('conversations', 'number', 'operational', 'support', 'expires_at'),
    ('conversations', 'caller_sealed', 'identifier', 'support', 'expires_at, or when its key is destroyed'),
    ('conversations', 'profile', 'technical', 'audit', 'expires_at'),
    ('conversations', 'policy_version', 'technical', 'audit', 'expires_at'),
    ('conversations', 'started_at', 'technical', 'support', 'expires_at'),
    ('conversations', 'expires_at', 'technical', 'retention', 'expires_at'),
    ('conversations', 'ended_at', 'technical', 'support', 'expires_at'),
    ('conversations', 'outcome', 'operational', 'diagnostics', 'expires_at'),
    ('turns', 'conversation', 'technical', 'name a conversation', 'expires_at'),
    ('turns', 'seq', 'technical', 'order', 'expires_at'),
    ('turns', 'party', 'interaction', 'support', 'expires_at'),
    ('turns', 'text_sealed', 'interaction', 'support', 'expires_at, or when its key is destroyed'),
    ('turns', 'masked', 'interaction', 'audit of redaction', 'expires_at'),
    ('turns', 'start_ms', 'interaction', 'support', 'expires_at'),
    ('turns', 'end_ms', 'interaction', 'support', 'expires_at'),
    ('turns', 'confidence', 'interaction', 'support', 'expires_at'),
    ('turns', 'interrupted', 'interaction', 'support', 'expires_at'),
    ('turns', 'expires_at', 'technical', 'retention', 'expires_at'),
    ('receipts', 'conversation', 'technical', 'name a conversation', 'expires_at'),
    ('receipts', 'counted', 'operational', 'proof that the audio was forgotten', 'expires_at'),
    ('receipts', 'born', 'operational', 'proof that the audio was forgotten', 'expires_at'),
    ('receipts', 'forgotten', 'operational', 'proof that the audio was forgotten', 'expires_at'),
    ('receipts', 'held', 'operational', 'proof that the audio was forgotten', 'expires_at'),
    ('receipts', 'longest_us', 'operational', 'proof that the audio was forgotten', 'expires_at'),
    ('receipts', 'expires_at', 'technical', 'retention', 'expires_at'),
    ('journal', 'seq', 'technical', 'audit', 'life of the store'),
    ('journal', 'at_ns', 'technical', 'audit', 'life of the store'),
    ('journal', 'actor', 'operational', 'audit', 'life of the store'),
    ('journal', 'action', 'operational', 'audit', 'life of the store'),
    ('journal', 'conversation', 'technical', 'audit', 'life of the store'),
    ('journal', 'reason', 'operational', 'audit', 'life of the store'),
    ('journal', 'ticket', 'operational', 'audit', 'life of the store'),
    ('journal', 'hash', 'technical', 'audit', 'life of the store'),
    ('data_map', 'tbl', 'none', 'describe the data', 'life of the store'),
    ('data_map', 'col', 'none', 'describe the data', 'life of the store'),
    ('data_map', 'class', 'none', 'describe the data', 'life of the store'),
    ('data_map', 'purpose', 'none', 'describe the data', 'life of the store'),
    ('data_map', 'retention', 'none', 'describe the data', 'life of the store');
