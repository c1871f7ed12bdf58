-- Generated from the migrations by "make generate"; do not edit.

CREATE TABLE advice (
    id             TEXT    NOT NULL PRIMARY KEY,
    reservation_id TEXT    NOT NULL REFERENCES reservation (id),
    attempt_id     TEXT    NOT NULL REFERENCES attempt (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('REVERSAL', 'RELEASE_REST', 'COMPLETION')),
    state          TEXT    NOT NULL CHECK (state IN ('QUEUED', 'DONE', 'STOPPED')),
    stan           TEXT    NOT NULL,
    sent_us        BIGINT  NOT NULL,
    rrn            TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    currency       TEXT    NOT NULL,
    amount         BIGINT  NOT NULL CHECK (amount > 0),
    sends          BIGINT  NOT NULL,
    lost           BIGINT  NOT NULL,
    renewed        BOOLEAN NOT NULL,
    created_us     BIGINT  NOT NULL,
    due_us         BIGINT  NOT NULL,
    code           TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX advice_due ON advice (due_us) WHERE state = 'QUEUED';

CREATE UNIQUE INDEX advice_once ON advice (attempt_id, kind);

CREATE INDEX advice_open ON advice (reservation_id) WHERE state <> 'DONE';

CREATE TABLE attempt (
    id             TEXT   NOT NULL PRIMARY KEY,
    reservation_id TEXT   NOT NULL REFERENCES reservation (id),
    state          TEXT   NOT NULL CHECK (state IN ('PREPARED', 'VOID', 'APPROVED', 'DECLINED', 'REVERSE_PENDING', 'REVERSED', 'CAPTURED', 'GONE')),
    version        BIGINT NOT NULL,
    acquirer       TEXT   NOT NULL,
    stan           TEXT   NOT NULL,
    sent_us        BIGINT NOT NULL,
    rrn            TEXT   NOT NULL,
    terminal       TEXT   NOT NULL,
    merchant       TEXT   NOT NULL,
    code           TEXT   NOT NULL,
    changed_us     BIGINT NOT NULL,
    UNIQUE (sent_us, stan, acquirer, terminal) -- how the network tells requests apart (rails 1.9)
) WITHOUT ROWID;

CREATE UNIQUE INDEX attempt_live ON attempt (reservation_id) WHERE state IN ('PREPARED', 'APPROVED', 'REVERSE_PENDING');

CREATE TABLE balance (
    account  TEXT   NOT NULL,
    owner    TEXT   NOT NULL,
    currency TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (account, owner, currency)
) WITHOUT ROWID;

CREATE TABLE cancel (
    id             TEXT   NOT NULL PRIMARY KEY,
    account        TEXT   NOT NULL,
    request_id     TEXT   NOT NULL,
    reservation_id TEXT   NOT NULL REFERENCES reservation (id),
    state          TEXT   NOT NULL CHECK (state IN ('PENDING', 'SUCCESS')),
    created_us     BIGINT NOT NULL,
    done_us        BIGINT,
    UNIQUE (account, request_id),
    CHECK ((state = 'PENDING') = (done_us IS NULL))
) WITHOUT ROWID;

CREATE INDEX cancel_open ON cancel (reservation_id) WHERE state = 'PENDING';

CREATE TABLE capture (
    id             TEXT   NOT NULL PRIMARY KEY,
    account        TEXT   NOT NULL,
    request_id     TEXT   NOT NULL,
    reservation_id TEXT   NOT NULL UNIQUE REFERENCES reservation (id),
    currency       TEXT   NOT NULL,
    amount         BIGINT NOT NULL CHECK (amount > 0),
    state          TEXT   NOT NULL CHECK (state IN ('PENDING', 'SUCCESS', 'EXPIRED', 'REVOKED')),
    created_us     BIGINT NOT NULL,
    done_us        BIGINT,
    UNIQUE (account, request_id),
    CHECK ((state = 'PENDING') = (done_us IS NULL))
) WITHOUT ROWID;

CREATE TABLE checkpoint (
    n       BIGINT NOT NULL PRIMARY KEY CHECK (n > 0),
    last_id BIGINT NOT NULL,
    events  BIGINT NOT NULL,
    digest  BYTEA  NOT NULL,
    at_us   BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE event (
    id             INTEGER NOT NULL PRIMARY KEY,
    payment_id TEXT    NOT NULL,
    n              BIGINT  NOT NULL CHECK (n > 0),
    at_us          BIGINT  NOT NULL,
    event          TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    actor          TEXT    NOT NULL,
    detail         TEXT    NOT NULL,
    digest         BYTEA   NOT NULL,
    UNIQUE (payment_id, n)
);

CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE idempotency (
    account     TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    method      TEXT    NOT NULL,
    fingerprint BYTEA   NOT NULL,
    done        BOOLEAN NOT NULL,
    answer      BYTEA,             -- sealed
    created_us  BIGINT  NOT NULL,
    done_us     BIGINT,
    PRIMARY KEY (account, request_id),
    CHECK (done = (answer IS NOT NULL) AND done = (done_us IS NOT NULL))
) WITHOUT ROWID;

CREATE INDEX idempotency_running ON idempotency (created_us) WHERE NOT done;

CREATE TABLE keyset (
    name   TEXT  NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
) WITHOUT ROWID;

CREATE TABLE notice (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('capture-result', 'cancel-result')),
    account    TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    result     TEXT   NOT NULL,
    code       TEXT   NOT NULL,
    after_id   TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('QUEUED', 'SENT', 'PARKED')),
    tries      BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    due_us     BIGINT NOT NULL,
    done_us    BIGINT,
    UNIQUE (account, kind, subject),
    CHECK ((state = 'SENT') = (done_us IS NOT NULL))
) WITHOUT ROWID;

CREATE INDEX notice_due ON notice (due_us) WHERE state = 'QUEUED';

CREATE TABLE notice_try (
    notice_id TEXT   NOT NULL REFERENCES notice (id),
    n         BIGINT NOT NULL,
    at_us     BIGINT NOT NULL,
    status    BIGINT NOT NULL, -- HTTP status; 0 where there was none
    outcome   TEXT   NOT NULL,
    took_us   BIGINT NOT NULL,
    PRIMARY KEY (notice_id, n)
) WITHOUT ROWID;

CREATE TABLE operator_case (
    id             TEXT   NOT NULL PRIMARY KEY,
    kind           TEXT   NOT NULL,
    payment_id TEXT   NOT NULL,
    detail         TEXT   NOT NULL,
    created_us     BIGINT NOT NULL,
    closed_us      BIGINT
) WITHOUT ROWID;

CREATE TABLE posting (
    payment_id TEXT   NOT NULL,
    event_n        BIGINT NOT NULL,
    k              BIGINT NOT NULL,
    owner          TEXT   NOT NULL,
    debit          TEXT   NOT NULL,
    credit         TEXT   NOT NULL,
    currency       TEXT   NOT NULL,
    amount         BIGINT NOT NULL CHECK (amount > 0),
    at_us          BIGINT NOT NULL,
    PRIMARY KEY (payment_id, event_n, k),
    CHECK (debit <> credit)
) WITHOUT ROWID;

CREATE TRIGGER posting_no_delete BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER posting_no_update BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE reservation (
    id            TEXT    NOT NULL PRIMARY KEY,
    account       TEXT    NOT NULL,
    request_id    TEXT    NOT NULL,
    currency      TEXT    NOT NULL,
    approval      TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('PENDING', 'RESERVED', 'DECLINED', 'REVERSING', 'NOT_HELD', 'CAPTURE_PENDING',
                                                    'CAPTURED', 'CAPTURE_FAILED', 'CANCEL_PENDING', 'CANCELLED', 'EXPIRED')),
    network_id    TEXT    NOT NULL,
    version       BIGINT  NOT NULL,
    amount        BIGINT  NOT NULL CHECK (amount > 0),
    captured      BIGINT  NOT NULL CHECK (captured >= 0 AND captured <= amount),
    held          BOOLEAN NOT NULL,
    hold_until_us BIGINT,
    host_until_us BIGINT,
    created_us    BIGINT  NOT NULL,
    code          TEXT    NOT NULL,
    changed_us    BIGINT  NOT NULL,
    mcc           TEXT    NOT NULL,
    chain_length  BIGINT  NOT NULL,
    chain_digest  BYTEA   NOT NULL,
    attempt_id    TEXT    NOT NULL,
    card          BYTEA,             -- sealed: account number and expiry
    UNIQUE (account, request_id),
    CHECK (NOT held OR state IN ('RESERVED', 'CAPTURE_PENDING', 'CANCEL_PENDING', 'EXPIRED'))
) WITHOUT ROWID;

CREATE INDEX reservation_expiring ON reservation (hold_until_us) WHERE state = 'RESERVED';

CREATE TABLE series (
    name TEXT   NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL CHECK (next >= 0)
) WITHOUT ROWID;
