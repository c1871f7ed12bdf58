-- The merchant gateway: money that comes by bank transfer, and merchants' payouts. Expand only: no row goes and none changes its meaning.
-- +goose Up

-- A payout is made for somebody: for Google, for a merchant, or for who sent us money that goes back. A person may have to agree to it
-- first, and may end it before it is sent.
CREATE TABLE payout_new (
    id           TEXT   NOT NULL PRIMARY KEY,
    account      TEXT   NOT NULL,
    request_id   TEXT   NOT NULL,
    bank         TEXT   NOT NULL, -- the payout bank that pays it
    code         TEXT   NOT NULL, -- of the network, for the result
    state        TEXT   NOT NULL CHECK (state IN ('UNDER_REVIEW', 'RECORDED', 'SUBMITTED', 'RETRYABLE', 'UNKNOWN', 'REVERSING', 'DEEMED',
                                                  'SUCCEEDED', 'DECLINED', 'RETURNED', 'CANCELLED')),
    attempt_id   TEXT   NOT NULL, -- the present one; empty while there is none
    purpose      TEXT   NOT NULL CHECK (purpose IN ('', 'MERCHANT', 'SENDER')), -- empty: for Google
    currency     TEXT   NOT NULL,
    scope        TEXT   NOT NULL, -- whose code that is
    reason       TEXT   NOT NULL CHECK (reason IN ('', 'below_limit', 'above_limit', 'account_closed', 'account_on_hold',
                                                   'account_closed_fraud', 'account_closed_taken_over', 'no_such_account',
                                                   'name_does_not_match', 'no_such_bank', 'not_permitted', 'above_bank_limit',
                                                   'compliance', 'declined')),
    version      BIGINT NOT NULL CHECK (version > 0),
    amount       BIGINT NOT NULL CHECK (amount > 0),
    fee          BIGINT NOT NULL CHECK (fee >= 0), -- ours, on top
    limit_broken BIGINT NOT NULL, -- which limit the amount breaks; 0 for none
    attempts     BIGINT NOT NULL CHECK (attempts >= 0),
    created_us   BIGINT NOT NULL,
    changed_us   BIGINT NOT NULL, -- its last event
    due_us       BIGINT,          -- when somebody must look at it again
    done_us      BIGINT,          -- final since
    back_us      BIGINT,          -- the money came back
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA  NOT NULL,
    print        BYTEA  NOT NULL, -- keyed digest of the request
    target       BYTEA  NOT NULL, -- sealed: to whom, and the text for the statement
    UNIQUE (account, request_id),
    CHECK (fee = 0 OR purpose = 'MERCHANT'),
    CHECK ((state IN ('SUCCEEDED', 'DECLINED', 'RETURNED', 'CANCELLED')) = (done_us IS NOT NULL)),
    CHECK ((state = 'RETURNED') = (back_us IS NOT NULL)),
    CHECK ((state = 'DECLINED') = (reason <> '')),
    CHECK (limit_broken = 0 OR limit_broken > 0 AND reason IN ('below_limit', 'above_limit')),
    CHECK ((attempts = 0) = (attempt_id = '') AND (attempts > 0 OR state IN ('UNDER_REVIEW', 'RECORDED', 'DECLINED', 'CANCELLED'))),
    CHECK (attempts = 0 OR state <> 'UNDER_REVIEW'),
    CHECK (due_us IS NULL OR done_us IS NULL)
) WITHOUT ROWID;
INSERT INTO payout_new (id, account, request_id, bank, code, state, attempt_id, purpose, currency, scope, reason, version, amount, fee,
                        limit_broken, attempts, created_us, changed_us, due_us, done_us, back_us, chain_length, chain_digest, print, target)
SELECT id, account, request_id, bank, code, state, attempt_id, '', currency, scope, reason, version, amount, 0, limit_broken, attempts,
       created_us, COALESCE(back_us, done_us, created_us), due_us, done_us, back_us, chain_length, chain_digest, print, target
  FROM payout ORDER BY id;
DROP TABLE payout;
ALTER TABLE payout_new RENAME TO payout;
CREATE INDEX payout_due ON payout (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX payout_open ON payout (bank, state, created_us) WHERE done_us IS NULL;
CREATE INDEX payout_ended ON payout (bank, done_us, created_us) WHERE done_us IS NOT NULL;
-- With all that counting needs, so that no row is read for it; likewise below.
CREATE INDEX payout_merchant ON payout (account, created_us, purpose) WHERE purpose = 'MERCHANT';

-- What a merchant knows of a payout beside what every payout has.
CREATE TABLE merchant_payout (
    payout_id  TEXT NOT NULL PRIMARY KEY REFERENCES payout (id),
    notify_url TEXT NOT NULL, -- empty: nobody is told
    number     TEXT NOT NULL UNIQUE, -- the gateway's order number
    sign_type  TEXT NOT NULL,
    service    TEXT NOT NULL
) WITHOUT ROWID;

-- A merchant's wish to be paid by one transfer. It takes at most one credit, and what that paid stays paid.
CREATE TABLE deposit_order (
    id              TEXT    NOT NULL PRIMARY KEY,
    state           TEXT    NOT NULL CHECK (state IN ('WAITING', 'SEEN', 'PAID', 'EXPIRED', 'CANCELLED', 'FAILED', 'TAKEN_BACK')),
    number          TEXT    NOT NULL UNIQUE, -- the gateway's order number
    currency        TEXT    NOT NULL,
    client_id       TEXT    NOT NULL,        -- the merchant's order number
    created_us      BIGINT  NOT NULL,
    receiver_number TEXT    NOT NULL,        -- what the payer types
    expires_us      BIGINT  NOT NULL,
    user_id         TEXT    NOT NULL,        -- the payer's name at the merchant
    changed_us      BIGINT  NOT NULL,
    receiver_bank   TEXT    NOT NULL,
    link            TEXT    NOT NULL UNIQUE, -- unguessable: of the payment page
    merchant        TEXT    NOT NULL,
    service         TEXT    NOT NULL,
    receiver        TEXT    NOT NULL,        -- our name of the account to pay to
    holder          TEXT    NOT NULL,
    branch          TEXT    NOT NULL,
    token           TEXT    NOT NULL,        -- what the payer writes into the transfer; empty for none
    notify_url      TEXT    NOT NULL,
    payer_bank      TEXT    NOT NULL,
    trouble         TEXT    NOT NULL CHECK (trouble IN ('', 'AMOUNT_MISMATCH', 'NAME_MISMATCH', 'AMBIGUOUS', 'UNMATCHED', 'LATE',
                                                        'STOPPED')),
    sign_type       TEXT    NOT NULL,
    credit_id       TEXT    REFERENCES bank_credit (id), -- what paid it
    into_account    TEXT    NOT NULL,        -- our name of the account that it came to
    generation      BIGINT  NOT NULL,
    version         BIGINT  NOT NULL CHECK (version > 0),
    amount          BIGINT  NOT NULL CHECK (amount > 0),
    display         BIGINT  NOT NULL CHECK (display BETWEEN 1 AND amount), -- to be transferred
    real_amount     BIGINT  NOT NULL CHECK (real_amount >= 0),             -- what arrived
    fee             BIGINT  NOT NULL CHECK (fee BETWEEN 0 AND real_amount),
    reserved        BOOLEAN NOT NULL, -- nobody else is shown that amount, or given that account
    virtual         BOOLEAN NOT NULL, -- the account is its own and leads to ours
    due_us          BIGINT,           -- when somebody must look at it
    paid_us         BIGINT,
    chain_length    BIGINT  NOT NULL,
    chain_digest    BYTEA   NOT NULL,
    name_print      BYTEA,            -- keyed digest of the payer's name
    payer           BYTEA,            -- sealed: name, bank and account
    UNIQUE (client_id, merchant),
    CHECK ((state IN ('PAID', 'TAKEN_BACK')) = (credit_id IS NOT NULL)),
    CHECK ((credit_id IS NOT NULL) = (real_amount > 0) AND (credit_id IS NOT NULL) = (into_account <> '')),
    CHECK ((credit_id IS NOT NULL) = (paid_us IS NOT NULL)),
    CHECK (NOT reserved OR virtual OR credit_id IS NULL),
    CHECK (state <> 'WAITING' OR due_us IS NOT NULL), -- whatever happens, it ends
    CHECK (name_print IS NULL OR payer IS NOT NULL)
) WITHOUT ROWID;
-- Of one account, an amount is shown to one payer at a time, and a number given to one.
CREATE UNIQUE INDEX deposit_order_amount ON deposit_order (receiver, display, reserved, virtual) WHERE reserved AND NOT virtual;
CREATE UNIQUE INDEX deposit_order_number ON deposit_order (receiver_number, receiver) WHERE reserved AND virtual;
CREATE UNIQUE INDEX deposit_order_credit ON deposit_order (credit_id) WHERE credit_id IS NOT NULL;
CREATE INDEX deposit_order_given ON deposit_order (receiver_number, receiver, created_us) WHERE virtual;
CREATE INDEX deposit_order_showing ON deposit_order (receiver, display, expires_us)
 WHERE state IN ('WAITING', 'SEEN', 'EXPIRED', 'CANCELLED');
CREATE INDEX deposit_order_token ON deposit_order (token, receiver) WHERE token <> '' AND state IN ('WAITING', 'SEEN');
CREATE INDEX deposit_order_name ON deposit_order (receiver, name_print, created_us)
 WHERE name_print IS NOT NULL AND state IN ('WAITING', 'SEEN');
CREATE INDEX deposit_order_open ON deposit_order (receiver, state) WHERE state IN ('WAITING', 'SEEN');
CREATE INDEX deposit_order_due ON deposit_order (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX deposit_order_merchant ON deposit_order (merchant, created_us);

-- Money that a bank booked on an account of ours. It pays at most one order.
CREATE TABLE bank_credit (
    id           TEXT   NOT NULL PRIMARY KEY,
    state        TEXT   NOT NULL CHECK (state IN ('UNMATCHED', 'MATCHED', 'REVERSED', 'RETURNING')),
    receiver     TEXT   NOT NULL, -- our name of the account
    currency     TEXT   NOT NULL,
    bank         TEXT   NOT NULL,
    booked_us    BIGINT NOT NULL,
    account      TEXT   NOT NULL,
    received_us  BIGINT NOT NULL,
    virtual      TEXT   NOT NULL, -- the number that was paid into; empty for none
    amount       BIGINT NOT NULL CHECK (amount > 0),
    bank_id      TEXT   NOT NULL, -- the bank's transaction id
    feed         TEXT   NOT NULL,
    message      TEXT   NOT NULL, -- that brought it
    trouble      TEXT   NOT NULL CHECK (trouble IN ('', 'AMOUNT_MISMATCH', 'NAME_MISMATCH', 'AMBIGUOUS', 'UNMATCHED', 'LATE',
                                                    'STOPPED')),
    order_id     TEXT   REFERENCES deposit_order (id), -- what it paid
    suspect_id   TEXT   REFERENCES deposit_order (id), -- what it is probably for
    payout_id    TEXT   REFERENCES payout (id),        -- what gives it back
    rule         TEXT   NOT NULL, -- by which it was last decided
    inputs       TEXT   NOT NULL, -- what that decision saw
    version      BIGINT NOT NULL CHECK (version > 0),
    retry_us     BIGINT,          -- until when a new order may claim it
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA  NOT NULL,
    sender       BYTEA  NOT NULL, -- sealed: name, bank, account and memo
    CHECK (state = 'REVERSED' OR (state = 'MATCHED') = (order_id IS NOT NULL)),
    CHECK ((state = 'RETURNING') = (payout_id IS NOT NULL)),
    CHECK (state = 'UNMATCHED' OR suspect_id IS NULL AND retry_us IS NULL)
) WITHOUT ROWID;
-- A bank, an account of it and a transaction id are digits, so the index holds them with something between.
CREATE UNIQUE INDEX bank_credit_once ON bank_credit (bank || '/' || account || '/' || bank_id);
CREATE UNIQUE INDEX bank_credit_order ON bank_credit (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX bank_credit_suspect ON bank_credit (suspect_id) WHERE suspect_id IS NOT NULL;
CREATE INDEX bank_credit_open ON bank_credit (received_us) WHERE state = 'UNMATCHED';
CREATE INDEX bank_credit_waiting ON bank_credit (receiver, amount, retry_us) WHERE retry_us IS NOT NULL;
CREATE INDEX bank_credit_day ON bank_credit (receiver, booked_us, state, amount);

-- Every booking that a bank told of, each once, by whatever way it was told.
CREATE TABLE bank_entry (
    bank      TEXT    NOT NULL,
    currency  TEXT    NOT NULL,
    account   TEXT    NOT NULL,
    at_us     BIGINT  NOT NULL,
    id        TEXT    NOT NULL, -- the bank's transaction id
    receiver  TEXT    NOT NULL, -- our name of the account
    message   TEXT    NOT NULL, -- the first that told of it
    amount    BIGINT  NOT NULL CHECK (amount > 0),
    original  TEXT    NOT NULL, -- of a reversal: what it takes back
    credit_id TEXT    REFERENCES bank_credit (id), -- what became of it
    payout_id TEXT    REFERENCES payout (id),      -- what it is about
    debit     BOOLEAN NOT NULL,
    notified  BOOLEAN NOT NULL, -- a notification told of it
    stated    BOOLEAN NOT NULL, -- a statement did
    day       TEXT    NOT NULL CHECK (length(day) = 8),
    CHECK (credit_id IS NULL OR payout_id IS NULL),
    CHECK (notified OR stated)
);
CREATE UNIQUE INDEX bank_entry_once ON bank_entry (bank || '/' || account || CASE WHEN debit THEN '/D/' ELSE '/C/' END || id);
CREATE INDEX bank_entry_reversal ON bank_entry (bank || '/' || account || '/' || original) WHERE original <> '' AND debit;
CREATE INDEX bank_entry_unstated ON bank_entry (bank || '/' || account || '/' || day) WHERE NOT stated;

-- Every message of a bank that was taken into account.
CREATE TABLE bank_message (
    feed     TEXT   NOT NULL,
    kind     TEXT   NOT NULL CHECK (kind IN ('NOTIFICATION', 'STATEMENT', 'PUSH')),
    id       TEXT   NOT NULL, -- the sender's
    entries  BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    repeated BIGINT NOT NULL,
    at_us    BIGINT NOT NULL,
    sha256   BYTEA  NOT NULL, -- of what was received
    PRIMARY KEY (feed, kind, id),
    CHECK (accepted >= 0 AND repeated >= 0 AND accepted + repeated <= entries)
) WITHOUT ROWID;

-- The last electronic sequence number of an account: a gap is news that is missing.
CREATE TABLE bank_sequence (
    account TEXT   NOT NULL PRIMARY KEY, -- the bank's code, a slash, the number
    seq     BIGINT NOT NULL
) WITHOUT ROWID;

-- Accounts that an operator lets rest: no new order is to be paid there, and what comes is still taken.
CREATE TABLE receiver_pause (
    receiver TEXT   NOT NULL PRIMARY KEY,
    note     TEXT   NOT NULL CHECK (note <> ''),
    since_us BIGINT NOT NULL
) WITHOUT ROWID;

-- Who a merchant's user is that pays by transfer, told once.
CREATE TABLE payer_registration (
    merchant TEXT   NOT NULL,
    user_id  TEXT   NOT NULL,
    at_us    BIGINT NOT NULL,
    bank     TEXT   NOT NULL,
    payer    BYTEA  NOT NULL, -- sealed: name, bank and account
    PRIMARY KEY (merchant, user_id)
) WITHOUT ROWID;

-- What merchants sign with, or are signed for with.
CREATE TABLE merchant_key (
    merchant   TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    purpose    TEXT   NOT NULL CHECK (purpose IN ('sign', 'authorization', 'webhook')),
    created_us BIGINT NOT NULL,
    ends_us    BIGINT,          -- not valid from then on
    sealed     BYTEA  NOT NULL,
    PRIMARY KEY (merchant, id)
) WITHOUT ROWID;

-- Money moves between two owners where a bank pays for an account, and where money that came by transfer becomes a merchant's, or leaves it
-- again because the bank took it back.
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
    CHECK (owner = credit_owner OR 'payout:float' IN (debit, credit) OR debit = 'deposit:unmatched' AND credit = 'merchant:payable'
           OR debit = 'merchant:payable' AND credit = 'bank:collection')
) WITHOUT ROWID;
INSERT INTO posting_new (payment_id, event_n, k, owner, debit, credit_owner, credit, currency, amount, at_us)
SELECT payment_id, event_n, k, owner, debit, credit_owner, credit, currency, amount, at_us FROM posting ORDER BY payment_id, event_n, k;
DROP TABLE posting;
ALTER TABLE posting_new RENAME TO posting;

-- Two more kinds of notice, to merchants: their tries have an end, and begin anew where one is sent again.
CREATE TABLE notice_new (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('capture-result', 'cancel-result', 'refund-result', 'refund-returned', 'inquiry',
                                               'chargeback', 'chargeback-reversed', 'fraud', 'settlement', 'settlement-file', 'capture-arn',
                                               'refund-arn', 'payout-result', 'deposit-result', 'transfer-result')),
    account    TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    result     TEXT   NOT NULL,
    code       TEXT   NOT NULL,
    after_id   TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('QUEUED', 'SENT', 'PARKED')),
    tries      BIGINT NOT NULL,
    base_tries BIGINT NOT NULL DEFAULT 0 CHECK (base_tries BETWEEN 0 AND tries), -- how many there were when it was last sent again
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
CREATE INDEX notice_parked ON notice (kind, created_us) WHERE state = 'PARKED';
CREATE INDEX notice_merchant ON notice (account, created_us) WHERE kind IN ('deposit-result', 'transfer-result');

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
CREATE TRIGGER merchant_payout_no_update BEFORE UPDATE ON merchant_payout
BEGIN SELECT RAISE(ABORT, 'what a payout was asked for stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deposit_order_terms_stay
BEFORE UPDATE OF id, number, currency, client_id, created_us, receiver_number, expires_us, user_id, receiver_bank, link, merchant, service,
                 receiver, holder, branch, token, notify_url, sign_type, generation, amount, display, virtual ON deposit_order
BEGIN SELECT RAISE(ABORT, 'what an order asks for stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deposit_order_paid_stays BEFORE UPDATE ON deposit_order
WHEN OLD.credit_id IS NOT NULL
 AND NOT (NEW.credit_id IS OLD.credit_id AND NEW.real_amount = OLD.real_amount AND NEW.fee = OLD.fee AND NEW.into_account = OLD.into_account
          AND NEW.paid_us IS OLD.paid_us AND (NEW.state = OLD.state OR OLD.state = 'PAID'))
BEGIN SELECT RAISE(ABORT, 'what paid an order stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_credit_no_update
BEFORE UPDATE OF id, receiver, currency, bank, booked_us, account, received_us, virtual, amount, bank_id, feed, message, sender
ON bank_credit
BEGIN SELECT RAISE(ABORT, 'what a bank booked stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_credit_order_stays BEFORE UPDATE ON bank_credit
WHEN OLD.order_id IS NOT NULL AND NEW.order_id IS NOT OLD.order_id OR OLD.state = 'REVERSED' AND NEW.state <> 'REVERSED'
BEGIN SELECT RAISE(ABORT, 'what a credit paid stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_credit_no_delete BEFORE DELETE ON bank_credit BEGIN SELECT RAISE(ABORT, 'what a bank booked stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_entry_no_update
BEFORE UPDATE OF bank, currency, account, at_us, id, receiver, message, amount, original, credit_id, payout_id, debit, day ON bank_entry
BEGIN SELECT RAISE(ABORT, 'bookings are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_entry_told_stays BEFORE UPDATE ON bank_entry WHEN OLD.notified AND NOT NEW.notified OR OLD.stated AND NOT NEW.stated
BEGIN SELECT RAISE(ABORT, 'bookings are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_entry_no_delete BEFORE DELETE ON bank_entry BEGIN SELECT RAISE(ABORT, 'bookings are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_message_no_update BEFORE UPDATE ON bank_message BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_message_no_delete BEFORE DELETE ON bank_message BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER merchant_key_stays BEFORE UPDATE OF merchant, id, purpose, created_us, sealed ON merchant_key
BEGIN SELECT RAISE(ABORT, 'a key stays what it is'); END;
-- +goose StatementEnd

-- No row may name one that is not there. If one does, nothing of this happens and the program does not start.
CREATE TEMPORARY TABLE stray (strays BIGINT NOT NULL CONSTRAINT a_row_names_one_that_is_not_there CHECK (strays = 0));
INSERT INTO stray (strays) SELECT COUNT(*) FROM pragma_foreign_key_check;
DROP TABLE stray;
