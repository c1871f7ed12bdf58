-- Payouts: money sent to accounts that we do not hold (disburse v1). Expand only: no row goes and none changes its meaning.
-- +goose Up

-- What the caller was told stays told: a payout that is final changes no more, but that its money may come back.
CREATE TABLE payout (
    id           TEXT   NOT NULL PRIMARY KEY,
    account      TEXT   NOT NULL,
    request_id   TEXT   NOT NULL,
    bank         TEXT   NOT NULL, -- the payout bank that pays it
    code         TEXT   NOT NULL, -- of the network, for the result
    state        TEXT   NOT NULL CHECK (state IN ('RECORDED', 'SUBMITTED', 'RETRYABLE', 'UNKNOWN', 'REVERSING', 'DEEMED', 'SUCCEEDED',
                                                  'DECLINED', 'RETURNED')),
    attempt_id   TEXT   NOT NULL, -- the present one; empty while there is none
    currency     TEXT   NOT NULL,
    scope        TEXT   NOT NULL, -- whose code that is
    reason       TEXT   NOT NULL CHECK (reason IN ('', 'below_limit', 'above_limit', 'account_closed', 'account_on_hold',
                                                   'account_closed_fraud', 'account_closed_taken_over')),
    version      BIGINT NOT NULL CHECK (version > 0),
    amount       BIGINT NOT NULL CHECK (amount > 0),
    limit_broken BIGINT NOT NULL, -- which limit the amount breaks; 0 for none
    attempts     BIGINT NOT NULL CHECK (attempts >= 0),
    created_us   BIGINT NOT NULL,
    due_us       BIGINT,          -- when somebody must look at it again
    done_us      BIGINT,          -- final since
    back_us      BIGINT,          -- the money came back
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA  NOT NULL,
    print        BYTEA  NOT NULL, -- keyed digest of the request
    target       BYTEA  NOT NULL, -- sealed: to whom, and the text for the statement
    UNIQUE (account, request_id),
    CHECK ((state IN ('SUCCEEDED', 'DECLINED', 'RETURNED')) = (done_us IS NOT NULL)),
    CHECK ((state = 'RETURNED') = (back_us IS NOT NULL)),
    CHECK ((state = 'DECLINED') = (reason <> '')),
    CHECK (limit_broken = 0 OR limit_broken > 0 AND reason IN ('below_limit', 'above_limit')),
    CHECK ((attempts = 0) = (attempt_id = '') AND (attempts > 0 OR state IN ('RECORDED', 'DECLINED'))),
    CHECK (due_us IS NULL OR done_us IS NULL)
) WITHOUT ROWID;
CREATE INDEX payout_due ON payout (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX payout_open ON payout (bank, state, created_us) WHERE done_us IS NULL;
CREATE INDEX payout_ended ON payout (bank, done_us, created_us) WHERE done_us IS NOT NULL;

-- One order to a payout bank, on disk before its bytes leave the house.
CREATE TABLE payout_attempt (
    id            TEXT   NOT NULL PRIMARY KEY, -- the bank's idempotency key
    state         TEXT   NOT NULL CHECK (state IN ('PREPARED', 'OPEN', 'PAID', 'FAILED', 'RETURNED')),
    payout_id     TEXT   NOT NULL REFERENCES payout (id),
    currency      TEXT   NOT NULL,
    reference     TEXT   NOT NULL CHECK (length(reference) BETWEEN 1 AND 40),
    bank          TEXT   NOT NULL,
    bank_id       TEXT   NOT NULL, -- how the bank names it; empty until it said so
    created_us    BIGINT NOT NULL,
    utr           TEXT   NOT NULL,
    first_sent_us BIGINT,
    code          TEXT   NOT NULL,
    status        TEXT   NOT NULL, -- in the bank's word
    n             BIGINT NOT NULL CHECK (n > 0),
    version       BIGINT NOT NULL CHECK (version > 0),
    fees          BIGINT NOT NULL,
    tax           BIGINT NOT NULL,
    sends         BIGINT NOT NULL CHECK (sends >= 0),
    asks          BIGINT NOT NULL CHECK (asks >= 0),
    body          BYTEA  NOT NULL, -- sealed: the exact bytes of the order
    UNIQUE (payout_id, n),
    UNIQUE (reference, bank),
    CHECK ((sends = 0) = (first_sent_us IS NULL))
) WITHOUT ROWID;
CREATE UNIQUE INDEX payout_attempt_bank_id ON payout_attempt (bank_id, bank) WHERE bank_id <> '';
-- A payout has at most one attempt that pays it, may pay it, or has paid it: another one is made when the last has certainly moved nothing.
CREATE UNIQUE INDEX payout_attempt_one ON payout_attempt (payout_id) WHERE state <> 'FAILED';
CREATE INDEX payout_attempt_unnamed ON payout_attempt (bank, first_sent_us) WHERE state = 'PREPARED' AND bank_id = '';

-- The statements of the accounts from which payout banks pay for us, each line once.
CREATE TABLE statement_entry (
    bank       TEXT    NOT NULL,
    id         TEXT    NOT NULL, -- the bank's own
    at_us      BIGINT  NOT NULL,
    bank_id    TEXT    NOT NULL, -- the order that it belongs to, in the bank's word
    currency   TEXT    NOT NULL,
    attempt_id TEXT    REFERENCES payout_attempt (id), -- the same in ours
    kind       TEXT    NOT NULL,
    reference  TEXT    NOT NULL,
    amount     BIGINT  NOT NULL, -- plus: money came in
    balance    BIGINT  NOT NULL, -- after it
    known      BOOLEAN NOT NULL, -- what it is
    PRIMARY KEY (bank, id),
    CHECK (attempt_id IS NULL OR known AND bank_id <> '')
) WITHOUT ROWID;
CREATE INDEX statement_entry_newest ON statement_entry (bank, at_us);
CREATE INDEX statement_entry_unknown ON statement_entry (bank, known) WHERE known = FALSE;

-- Money moves between two owners where a bank pays for an account, and only there.
CREATE TABLE posting_new (
    payment_id   TEXT   NOT NULL,
    event_n      BIGINT NOT NULL,
    k            BIGINT NOT NULL,
    owner        TEXT   NOT NULL, -- of the account that is debited
    debit        TEXT   NOT NULL,
    credit_owner TEXT   NOT NULL,
    credit       TEXT   NOT NULL,
    currency     TEXT   NOT NULL,
    amount       BIGINT NOT NULL CHECK (amount > 0),
    at_us        BIGINT NOT NULL,
    PRIMARY KEY (payment_id, event_n, k),
    CHECK (debit <> credit),
    CHECK (owner = credit_owner OR 'payout:float' IN (debit, credit))
) WITHOUT ROWID;
INSERT INTO posting_new (payment_id, event_n, k, owner, debit, credit_owner, credit, currency, amount, at_us)
SELECT payment_id, event_n, k, owner, debit, owner, credit, currency, amount, at_us FROM posting ORDER BY payment_id, event_n, k;
DROP TABLE posting;
ALTER TABLE posting_new RENAME TO posting;

-- One more kind of notice.
CREATE TABLE notice_new (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('capture-result', 'cancel-result', 'refund-result', 'refund-returned', 'inquiry',
                                               'chargeback', 'chargeback-reversed', 'fraud', 'settlement', 'settlement-file', 'capture-arn',
                                               'refund-arn', 'payout-result')),
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
    facts      TEXT   NOT NULL DEFAULT '', -- JSON; empty for none
    UNIQUE (account, kind, subject),
    CHECK ((state = 'SENT') = (done_us IS NOT NULL))
) WITHOUT ROWID;
INSERT INTO notice_new (id, kind, account, subject, result, code, after_id, state, tries, created_us, due_us, done_us, facts)
SELECT id, kind, account, subject, result, code, after_id, state, tries, created_us, due_us, done_us, facts FROM notice ORDER BY id;
DROP TABLE notice;
ALTER TABLE notice_new RENAME TO notice;
CREATE INDEX notice_due ON notice (due_us) WHERE state = 'QUEUED';
CREATE INDEX notice_parked ON notice (created_us) WHERE state = 'PARKED';

-- What was said stays said.
-- +goose StatementBegin
CREATE TRIGGER posting_no_update BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER posting_no_delete BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_result_stays BEFORE UPDATE ON payout
WHEN OLD.done_us IS NOT NULL
 AND NOT (NEW.done_us IS OLD.done_us AND NEW.reason = OLD.reason AND NEW.limit_broken = OLD.limit_broken AND NEW.scope = OLD.scope
          AND NEW.code = OLD.code AND NEW.attempt_id = OLD.attempt_id
          AND (NEW.state = OLD.state AND NEW.back_us IS OLD.back_us OR OLD.state = 'SUCCEEDED' AND NEW.state = 'RETURNED'))
BEGIN SELECT RAISE(ABORT, 'what a payout came to stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_attempt_end_stays BEFORE UPDATE ON payout_attempt
WHEN OLD.state IN ('PAID', 'FAILED', 'RETURNED') AND NEW.state <> OLD.state AND NOT (OLD.state = 'PAID' AND NEW.state = 'RETURNED')
BEGIN SELECT RAISE(ABORT, 'what an attempt came to stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER statement_entry_no_update
BEFORE UPDATE OF bank, id, at_us, bank_id, currency, attempt_id, kind, reference, amount, balance ON statement_entry
BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER statement_entry_no_delete BEFORE DELETE ON statement_entry BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
-- +goose StatementEnd

-- No row may name one that is not there. If one does, nothing of this happens and the program does not start.
CREATE TEMPORARY TABLE stray (strays BIGINT NOT NULL CONSTRAINT a_row_names_one_that_is_not_there CHECK (strays = 0));
INSERT INTO stray (strays) SELECT COUNT(*) FROM pragma_foreign_key_check;
DROP TABLE stray;
