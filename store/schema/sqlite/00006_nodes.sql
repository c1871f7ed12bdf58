-- Many nodes on one database: who works on what, and how their calls went. Expand only: no row goes and none changes its meaning.
-- +goose Up

-- A balance may stand in several rows, so that those who write at the same time need not wait for each other: it is their sum.
CREATE TABLE balance_new (
    account  TEXT   NOT NULL,
    owner    TEXT   NOT NULL,
    currency TEXT   NOT NULL,
    slot     BIGINT NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (account, owner, currency, slot)
) WITHOUT ROWID;
INSERT INTO balance_new (account, owner, currency, slot, amount) SELECT account, owner, currency, 0, amount FROM balance;
DROP TABLE balance;
ALTER TABLE balance_new RENAME TO balance;

-- Which node works on a request that has no answer yet; empty where one process owns the database.
ALTER TABLE idempotency ADD COLUMN node TEXT NOT NULL DEFAULT '';

-- How often a notice was taken to be sent: who took it before cannot write any more what came of it.
ALTER TABLE notice ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;

-- What one node does for all, and that a node lives (node/...), until a time. Each new holder has a higher fence.
CREATE TABLE lease (
    name     TEXT   NOT NULL PRIMARY KEY,
    holder   TEXT   NOT NULL,
    fence    BIGINT NOT NULL CHECK (fence > 0),
    until_us BIGINT NOT NULL
) WITHOUT ROWID;

-- Transactions that must not run side by side, though they change no row in common, change the one that they are named after here.
CREATE TABLE guard (
    name TEXT   NOT NULL PRIMARY KEY,
    n    BIGINT NOT NULL
) WITHOUT ROWID;

-- How calls went, as the counterparty measures (gsp-core 6): valid requests of a method in an hour that one node was asked, those that had
-- a valid answer within 7 s, and of these the ones within 5 s and 3 s.
CREATE TABLE call_tally (
    method    TEXT   NOT NULL,
    hour_us   BIGINT NOT NULL,
    node      TEXT   NOT NULL,
    calls     BIGINT NOT NULL CHECK (calls > 0),
    answered  BIGINT NOT NULL,
    within_5s BIGINT NOT NULL,
    within_3s BIGINT NOT NULL,
    PRIMARY KEY (method, hour_us, node),
    CHECK (within_3s >= 0 AND within_3s <= within_5s AND within_5s <= answered AND answered <= calls)
) WITHOUT ROWID;
