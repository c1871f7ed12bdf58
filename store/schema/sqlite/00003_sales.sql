-- Sales: a payment in one message, that holds nothing (Card FOP v1 4.4). Expand only: no row goes and none changes its meaning.
-- +goose Up

-- A sale is asked for, and then taken whole, refused, or given back: nothing of it is ever held. A network may have two names for a
-- payment.
CREATE TABLE reservation_new (
    id            TEXT    NOT NULL PRIMARY KEY,
    account       TEXT    NOT NULL,
    request_id    TEXT    NOT NULL,
    purpose       TEXT    NOT NULL CHECK (purpose IN ('', 'SALE', 'VERIFY', 'CHECK')),
    currency      TEXT    NOT NULL,
    approval      TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('PENDING', 'RESERVED', 'DECLINED', 'REVERSING', 'NOT_HELD', 'CAPTURE_PENDING',
                                                    'CAPTURED', 'CAPTURE_FAILED', 'CANCEL_PENDING', 'CANCELLED', 'EXPIRED',
                                                    'VERIFY_HELD', 'VERIFIED')),
    network_id    TEXT    NOT NULL,
    version       BIGINT  NOT NULL,
    link_id       TEXT    NOT NULL, -- the supplementary network identifier; a time stands behind its digits
    created_us    BIGINT  NOT NULL,
    amount        BIGINT  NOT NULL CHECK (amount > 0 OR amount = 0 AND purpose IN ('VERIFY', 'CHECK')),
    captured      BIGINT  NOT NULL CHECK (captured >= 0 AND captured <= amount),
    held          BOOLEAN NOT NULL,
    hold_until_us BIGINT,
    host_until_us BIGINT,
    code          TEXT    NOT NULL,
    changed_us    BIGINT  NOT NULL,
    mcc           TEXT    NOT NULL,
    chain_length  BIGINT  NOT NULL,
    chain_digest  BYTEA   NOT NULL,
    attempt_id    TEXT    NOT NULL,
    card          BYTEA,             -- sealed: account number and expiry
    card_until_us BIGINT,
    UNIQUE (account, request_id),
    CHECK (NOT held OR state IN ('RESERVED', 'VERIFY_HELD', 'CAPTURE_PENDING', 'CANCEL_PENDING', 'EXPIRED')),
    CHECK (purpose <> 'SALE' OR state IN ('PENDING', 'CAPTURED', 'DECLINED', 'REVERSING', 'NOT_HELD', 'CANCEL_PENDING', 'CANCELLED')),
    CHECK (purpose <> 'SALE' OR NOT held AND hold_until_us IS NULL AND captured = CASE state WHEN 'CAPTURED' THEN amount ELSE 0 END)
) WITHOUT ROWID;
INSERT INTO reservation_new (id, account, request_id, purpose, currency, approval, state, network_id, version, link_id, created_us, amount,
                             captured, held, hold_until_us, host_until_us, code, changed_us, mcc, chain_length, chain_digest, attempt_id,
                             card, card_until_us)
SELECT id, account, request_id, purpose, currency, approval, state, network_id, version, '', created_us, amount, captured, held,
       hold_until_us, host_until_us, code, changed_us, mcc, chain_length, chain_digest, attempt_id, card, card_until_us
  FROM reservation ORDER BY id;
DROP TABLE reservation;
ALTER TABLE reservation_new RENAME TO reservation;
CREATE INDEX reservation_expiring ON reservation (hold_until_us) WHERE state IN ('RESERVED', 'VERIFY_HELD');
CREATE INDEX reservation_erasable ON reservation (card_until_us) WHERE card IS NOT NULL AND card_until_us IS NOT NULL;

-- What a network booked and undid: refunds, and sales too.
DROP INDEX attempt_undone;
CREATE INDEX attempt_undone ON attempt (undone_day, state) WHERE undone_day <> '';

-- No row may name one that is not there. If one does, nothing of this happens and the program does not start.
CREATE TEMPORARY TABLE stray (strays BIGINT NOT NULL CONSTRAINT a_row_names_one_that_is_not_there CHECK (strays = 0));
INSERT INTO stray (strays) SELECT COUNT(*) FROM pragma_foreign_key_check;
DROP TABLE stray;
