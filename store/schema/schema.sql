-- Generated from the migrations by "make generate"; do not edit.

CREATE TABLE account_book (
    account      TEXT   NOT NULL PRIMARY KEY,
    chain_length BIGINT NOT NULL CHECK (chain_length > 0),
    chain_digest BYTEA  NOT NULL
) WITHOUT ROWID;

CREATE TABLE acquirer_event (
    acquirer   TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    type       TEXT   NOT NULL,
    file       TEXT   NOT NULL,
    line       BIGINT NOT NULL,
    digest     BYTEA  NOT NULL, -- SHA-256 of its content
    payment_id TEXT   NOT NULL, -- the journal it was written to; empty for an exception
    outcome    TEXT   NOT NULL CHECK (outcome IN ('APPLIED', 'EXCEPTION')),
    object     TEXT   NOT NULL, -- what of ours it was about, such as refund/...; empty for an exception
    reason     TEXT   NOT NULL,
    account    TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    gross      BIGINT NOT NULL, -- signed: plus = the acquirer owes us
    fees       BIGINT NOT NULL,
    tax        BIGINT NOT NULL,
    at_us      BIGINT NOT NULL,
    PRIMARY KEY (acquirer, id),
    CHECK ((outcome = 'EXCEPTION') = (reason <> ''))
) WITHOUT ROWID;

CREATE TRIGGER acquirer_event_no_delete BEFORE DELETE ON acquirer_event BEGIN SELECT RAISE(ABORT, 'acquirer events are append-only'); END;

CREATE TRIGGER acquirer_event_no_update BEFORE UPDATE ON acquirer_event BEGIN SELECT RAISE(ABORT, 'acquirer events are append-only'); END;

CREATE INDEX acquirer_event_of ON acquirer_event (object, type) WHERE object <> '';

CREATE TABLE acquirer_file (
    acquirer   TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    merchant   TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('LOADED', 'QUARANTINED')),
    day        TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    sha256     BYTEA  NOT NULL, -- of the whole file
    reason     TEXT   NOT NULL,
    records    BIGINT NOT NULL,
    exceptions BIGINT NOT NULL,
    gross      BIGINT NOT NULL,
    fees       BIGINT NOT NULL,
    tax        BIGINT NOT NULL,
    net        BIGINT NOT NULL,
    at_us      BIGINT NOT NULL,
    PRIMARY KEY (acquirer, name),
    CHECK (state = 'QUARANTINED' OR net = gross + fees + tax)
) WITHOUT ROWID;

CREATE UNIQUE INDEX acquirer_file_loaded ON acquirer_file (acquirer, merchant, kind, day, seq) WHERE state = 'LOADED';

CREATE TABLE "advice" (
    id             TEXT    NOT NULL PRIMARY KEY,
    reservation_id TEXT    NOT NULL REFERENCES reservation (id),
    attempt_id     TEXT    NOT NULL REFERENCES attempt (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('REVERSAL', 'RELEASE_REST', 'COMPLETION', 'REFUND')),
    state          TEXT    NOT NULL CHECK (state IN ('QUEUED', 'DONE', 'STOPPED', 'BATCHED')),
    stan           TEXT    NOT NULL,
    sent_us        BIGINT  NOT NULL,
    rrn            TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    currency       TEXT    NOT NULL,
    amount         BIGINT  NOT NULL CHECK (amount > 0 OR amount = 0 AND kind = 'REVERSAL'),
    sends          BIGINT  NOT NULL,
    lost           BIGINT  NOT NULL,
    renewed        BOOLEAN NOT NULL,
    created_us     BIGINT  NOT NULL,
    due_us         BIGINT  NOT NULL,
    code           TEXT    NOT NULL,
    file           TEXT    NOT NULL, -- the capture file that carries it; empty for none
    line           BIGINT  NOT NULL CHECK (line >= 0 AND (line = 0) = (file = ''))
) WITHOUT ROWID;

CREATE INDEX advice_batched ON advice (file, created_us) WHERE state = 'BATCHED';

CREATE INDEX advice_due ON advice (due_us) WHERE state = 'QUEUED';

CREATE UNIQUE INDEX advice_line ON advice (file, line) WHERE file <> '';

CREATE UNIQUE INDEX advice_once ON advice (attempt_id, kind);

CREATE INDEX advice_open ON advice (reservation_id) WHERE state <> 'DONE';

CREATE TABLE "attempt" (
    id             TEXT   NOT NULL PRIMARY KEY,
    reservation_id TEXT   NOT NULL REFERENCES reservation (id),
    refund_id      TEXT   REFERENCES refund (id),
    state          TEXT   NOT NULL CHECK (state IN ('PREPARED', 'VOID', 'APPROVED', 'DECLINED', 'REVERSE_PENDING', 'REVERSED', 'CAPTURED',
                                                    'GONE',
                                                    'PASSED', 'BOOKED')),
    version        BIGINT NOT NULL,
    acquirer       TEXT   NOT NULL,
    stan           TEXT   NOT NULL,
    sent_us        BIGINT NOT NULL,
    rrn            TEXT   NOT NULL,
    terminal       TEXT   NOT NULL,
    merchant       TEXT   NOT NULL,
    code           TEXT   NOT NULL,
    changed_us     BIGINT NOT NULL,
    undone_day     TEXT   NOT NULL CHECK (length(undone_day) IN (0, 8)), -- of the network; empty where it had booked nothing
    UNIQUE (sent_us, stan, acquirer, terminal), -- how the network tells requests apart (rails 1.9)
    CHECK (undone_day = '' OR state = 'REVERSED')
) WITHOUT ROWID;

CREATE UNIQUE INDEX attempt_live ON attempt (reservation_id)
 WHERE state IN ('PREPARED', 'APPROVED', 'REVERSE_PENDING') AND refund_id IS NULL;

CREATE UNIQUE INDEX attempt_live_refund ON attempt (refund_id)
 WHERE state IN ('PREPARED', 'APPROVED', 'REVERSE_PENDING') AND refund_id IS NOT NULL;

CREATE INDEX attempt_undone ON attempt (undone_day, state) WHERE undone_day <> '';

CREATE TABLE "balance" (
    account  TEXT   NOT NULL,
    owner    TEXT   NOT NULL,
    currency TEXT   NOT NULL,
    slot     BIGINT NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (account, owner, currency, slot)
) WITHOUT ROWID;

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

CREATE INDEX bank_credit_day ON bank_credit (receiver, booked_us, state, amount);

CREATE TRIGGER bank_credit_no_delete BEFORE DELETE ON bank_credit BEGIN SELECT RAISE(ABORT, 'what a bank booked stays'); END;

CREATE TRIGGER bank_credit_no_update
BEFORE UPDATE OF id, receiver, currency, bank, booked_us, account, received_us, virtual, amount, bank_id, feed, message, sender
ON bank_credit
BEGIN SELECT RAISE(ABORT, 'what a bank booked stays'); END;

CREATE UNIQUE INDEX bank_credit_once ON bank_credit (bank || '/' || account || '/' || bank_id);

CREATE INDEX bank_credit_open ON bank_credit (received_us) WHERE state = 'UNMATCHED';

CREATE UNIQUE INDEX bank_credit_order ON bank_credit (order_id) WHERE order_id IS NOT NULL;

CREATE TRIGGER bank_credit_order_stays BEFORE UPDATE ON bank_credit
WHEN OLD.order_id IS NOT NULL AND NEW.order_id IS NOT OLD.order_id OR OLD.state = 'REVERSED' AND NEW.state <> 'REVERSED'
BEGIN SELECT RAISE(ABORT, 'what a credit paid stays'); END;

CREATE INDEX bank_credit_suspect ON bank_credit (suspect_id) WHERE suspect_id IS NOT NULL;

CREATE INDEX bank_credit_waiting ON bank_credit (receiver, amount, retry_us) WHERE retry_us IS NOT NULL;

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

CREATE TRIGGER bank_entry_no_delete BEFORE DELETE ON bank_entry BEGIN SELECT RAISE(ABORT, 'bookings are append-only'); END;

CREATE TRIGGER bank_entry_no_update
BEFORE UPDATE OF bank, currency, account, at_us, id, receiver, message, amount, original, credit_id, payout_id, debit, day ON bank_entry
BEGIN SELECT RAISE(ABORT, 'bookings are append-only'); END;

CREATE UNIQUE INDEX bank_entry_once ON bank_entry (bank || '/' || account || CASE WHEN debit THEN '/D/' ELSE '/C/' END || id);

CREATE INDEX bank_entry_reversal ON bank_entry (bank || '/' || account || '/' || original) WHERE original <> '' AND debit;

CREATE TRIGGER bank_entry_told_stays BEFORE UPDATE ON bank_entry WHEN OLD.notified AND NOT NEW.notified OR OLD.stated AND NOT NEW.stated
BEGIN SELECT RAISE(ABORT, 'bookings are append-only'); END;

CREATE INDEX bank_entry_unstated ON bank_entry (bank || '/' || account || '/' || day) WHERE NOT stated;

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

CREATE TRIGGER bank_message_no_delete BEFORE DELETE ON bank_message BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END;

CREATE TRIGGER bank_message_no_update BEFORE UPDATE ON bank_message BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END;

CREATE TABLE bank_sequence (
    account TEXT   NOT NULL PRIMARY KEY, -- the bank's code, a slash, the number
    seq     BIGINT NOT NULL
) WITHOUT ROWID;

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

CREATE TABLE "capture" (
    id             TEXT   NOT NULL PRIMARY KEY,
    account        TEXT   NOT NULL,
    request_id     TEXT   NOT NULL,
    reservation_id TEXT   NOT NULL UNIQUE REFERENCES reservation (id),
    currency       TEXT   NOT NULL,
    rrn            TEXT   NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('PENDING', 'SUCCESS', 'EXPIRED', 'REVOKED')),
    arn            TEXT   NOT NULL CHECK (length(arn) IN (0, 23)),
    created_us     BIGINT NOT NULL,
    network_id     TEXT   NOT NULL,
    amount         BIGINT NOT NULL CHECK (amount > 0),
    approval       TEXT   NOT NULL,
    done_us        BIGINT,
    day            TEXT   NOT NULL CHECK (length(day) IN (0, 8)), -- of the network, YYYYMMDD
    clearing       TEXT   NOT NULL CHECK (clearing IN ('', 'CLEARED', 'REJECTED')),
    UNIQUE (account, request_id),
    CHECK ((state = 'PENDING') = (done_us IS NULL))
) WITHOUT ROWID;

CREATE UNIQUE INDEX capture_arn ON capture (arn) WHERE arn <> '';

CREATE TRIGGER capture_arn_once BEFORE UPDATE OF arn ON capture WHEN OLD.arn <> '' AND NEW.arn <> OLD.arn
BEGIN SELECT RAISE(ABORT, 'an acquirer reference number is set once'); END;

CREATE INDEX capture_day ON capture (day, currency) WHERE state = 'SUCCESS' AND day <> '';

CREATE INDEX capture_network ON capture (network_id, state) WHERE state = 'SUCCESS' AND network_id <> '';

CREATE INDEX capture_rrn ON capture (rrn, state) WHERE state = 'SUCCESS';

CREATE TABLE capture_file (
    name       TEXT   NOT NULL PRIMARY KEY,
    acquirer   TEXT   NOT NULL,
    merchant   TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    day        TEXT   NOT NULL CHECK (length(day) = 8),
    state      TEXT   NOT NULL CHECK (state IN ('MADE', 'SENT', 'ANSWERED')),
    seq        BIGINT NOT NULL CHECK (seq > 0),
    items      BIGINT NOT NULL CHECK (items > 0),
    created_us BIGINT NOT NULL,
    done_us    BIGINT,
    UNIQUE (acquirer, merchant, day, seq)
) WITHOUT ROWID;

CREATE INDEX capture_file_state ON capture_file (state, created_us);

CREATE TABLE checkpoint (
    n       BIGINT NOT NULL PRIMARY KEY CHECK (n > 0),
    last_id BIGINT NOT NULL,
    events  BIGINT NOT NULL,
    digest  BYTEA  NOT NULL,
    at_us   BIGINT NOT NULL
) WITHOUT ROWID;

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

CREATE UNIQUE INDEX deposit_order_amount ON deposit_order (receiver, display, reserved, virtual) WHERE reserved AND NOT virtual;

CREATE UNIQUE INDEX deposit_order_credit ON deposit_order (credit_id) WHERE credit_id IS NOT NULL;

CREATE INDEX deposit_order_due ON deposit_order (due_us) WHERE due_us IS NOT NULL;

CREATE INDEX deposit_order_given ON deposit_order (receiver_number, receiver, created_us) WHERE virtual;

CREATE INDEX deposit_order_merchant ON deposit_order (merchant, created_us);

CREATE INDEX deposit_order_name ON deposit_order (receiver, name_print, created_us)
 WHERE name_print IS NOT NULL AND state IN ('WAITING', 'SEEN');

CREATE UNIQUE INDEX deposit_order_number ON deposit_order (receiver_number, receiver) WHERE reserved AND virtual;

CREATE INDEX deposit_order_open ON deposit_order (receiver, state) WHERE state IN ('WAITING', 'SEEN');

CREATE TRIGGER deposit_order_paid_stays BEFORE UPDATE ON deposit_order
WHEN OLD.credit_id IS NOT NULL
 AND NOT (NEW.credit_id IS OLD.credit_id AND NEW.real_amount = OLD.real_amount AND NEW.fee = OLD.fee AND NEW.into_account = OLD.into_account
          AND NEW.paid_us IS OLD.paid_us AND (NEW.state = OLD.state OR OLD.state = 'PAID'))
BEGIN SELECT RAISE(ABORT, 'what paid an order stays'); END;

CREATE INDEX deposit_order_showing ON deposit_order (receiver, display, expires_us)
 WHERE state IN ('WAITING', 'SEEN', 'EXPIRED', 'CANCELLED');

CREATE TRIGGER deposit_order_terms_stay
BEFORE UPDATE OF id, number, currency, client_id, created_us, receiver_number, expires_us, user_id, receiver_bank, link, merchant, service,
                 receiver, holder, branch, token, notify_url, sign_type, generation, amount, display, virtual ON deposit_order
BEGIN SELECT RAISE(ABORT, 'what an order asks for stays'); END;

CREATE INDEX deposit_order_token ON deposit_order (token, receiver) WHERE token <> '' AND state IN ('WAITING', 'SEEN');

CREATE TABLE dispute (
    id             TEXT    NOT NULL PRIMARY KEY,
    account        TEXT    NOT NULL,
    reservation_id TEXT    NOT NULL REFERENCES reservation (id),
    stage          TEXT    NOT NULL CHECK (stage IN ('INQUIRY', 'FIRST', 'SECOND')),
    case_no        TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('INQUIRY_OPEN', 'INQUIRY_DEFENDED', 'INQUIRY_CLOSED', 'CB1_OPEN', 'CB1_DEFENDED',
                                                     'CB1_REVERSED', 'CB1_LOST', 'CB2_OPEN', 'CB2_DEFENDED', 'CB2_REVERSED', 'CB2_LOST')),
    raw_code       TEXT    NOT NULL,
    currency       TEXT    NOT NULL,
    event_id       TEXT    NOT NULL, -- the acquirer's name of what raised it
    reason         TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    amount         BIGINT  NOT NULL CHECK (amount > 0 OR amount = 0 AND stage = 'INQUIRY'),
    won            BIGINT  NOT NULL CHECK (won >= 0 AND won <= amount),
    created_us     BIGINT  NOT NULL,
    reply_by_us    BIGINT,
    due_us         BIGINT,
    done_us        BIGINT,
    told           TEXT    NOT NULL, -- the notice that told of it
    told_twice     BOOLEAN NOT NULL,
    CHECK (stage = CASE substr(state, 1, 3) WHEN 'INQ' THEN 'INQUIRY' WHEN 'CB1' THEN 'FIRST' ELSE 'SECOND' END),
    CHECK ((done_us IS NULL) = (state IN ('INQUIRY_OPEN', 'INQUIRY_DEFENDED', 'CB1_OPEN', 'CB1_DEFENDED', 'CB2_OPEN', 'CB2_DEFENDED'))),
    CHECK ((won > 0) = (state IN ('CB1_REVERSED', 'CB2_REVERSED')))
) WITHOUT ROWID;

CREATE INDEX dispute_due ON dispute (due_us) WHERE done_us IS NULL;

CREATE UNIQUE INDEX dispute_once ON dispute (case_no, stage, reservation_id) WHERE case_no <> '';

CREATE INDEX dispute_payment ON dispute (reservation_id);

CREATE TABLE event (
    id             INTEGER NOT NULL PRIMARY KEY,
    payment_id TEXT    NOT NULL,
    n              BIGINT  NOT NULL CHECK (n > 0),
    at_us          BIGINT  NOT NULL,
    event          TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    actor          TEXT    NOT NULL,
    detail         TEXT    NOT NULL,
    digest         BYTEA   NOT NULL, object TEXT NOT NULL DEFAULT '',
    UNIQUE (payment_id, n)
);

CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE evidence (
    id         TEXT   NOT NULL PRIMARY KEY,
    dispute_id TEXT   NOT NULL REFERENCES dispute (id),
    size       BIGINT NOT NULL CHECK (size > 0),
    sha256     BYTEA  NOT NULL, -- of the document. Digests are bytes: their hexadecimal digits could read as a card number
    created_us BIGINT NOT NULL,
    document   BYTEA  NOT NULL  -- sealed
);

CREATE INDEX evidence_dispute ON evidence (dispute_id);

CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;

CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;

CREATE TABLE guard (
    name TEXT   NOT NULL PRIMARY KEY,
    n    BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE idempotency (
    account     TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    method      TEXT    NOT NULL,
    fingerprint BYTEA   NOT NULL,
    done        BOOLEAN NOT NULL,
    answer      BYTEA,             -- sealed
    created_us  BIGINT  NOT NULL,
    done_us     BIGINT, node TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account, request_id),
    CHECK (done = (answer IS NOT NULL) AND done = (done_us IS NOT NULL))
) WITHOUT ROWID;

CREATE INDEX idempotency_running ON idempotency (created_us) WHERE NOT done;

CREATE TABLE keyset (
    name   TEXT  NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
) WITHOUT ROWID;

CREATE TABLE lease (
    name     TEXT   NOT NULL PRIMARY KEY,
    holder   TEXT   NOT NULL,
    fence    BIGINT NOT NULL CHECK (fence > 0),
    until_us BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE merchant_key (
    merchant   TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    purpose    TEXT   NOT NULL CHECK (purpose IN ('sign', 'authorization', 'webhook')),
    created_us BIGINT NOT NULL,
    ends_us    BIGINT,          -- not valid from then on
    sealed     BYTEA  NOT NULL,
    PRIMARY KEY (merchant, id)
) WITHOUT ROWID;

CREATE TRIGGER merchant_key_stays BEFORE UPDATE OF merchant, id, purpose, created_us, sealed ON merchant_key
BEGIN SELECT RAISE(ABORT, 'a key stays what it is'); END;

CREATE TABLE merchant_payout (
    payout_id  TEXT NOT NULL PRIMARY KEY REFERENCES payout (id),
    notify_url TEXT NOT NULL, -- empty: nobody is told
    number     TEXT NOT NULL UNIQUE, -- the gateway's order number
    sign_type  TEXT NOT NULL,
    service    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER merchant_payout_no_update BEFORE UPDATE ON merchant_payout
BEGIN SELECT RAISE(ABORT, 'what a payout was asked for stays'); END;

CREATE TABLE "notice" (
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
    facts      TEXT   NOT NULL DEFAULT '', fence BIGINT NOT NULL DEFAULT 0, -- JSON; empty for none
    UNIQUE (account, kind, subject),
    CHECK ((state = 'SENT') = (done_us IS NOT NULL))
) WITHOUT ROWID;

CREATE INDEX notice_due ON notice (due_us) WHERE state = 'QUEUED';

CREATE INDEX notice_merchant ON notice (account, created_us) WHERE kind IN ('deposit-result', 'transfer-result');

CREATE INDEX notice_parked ON notice (kind, created_us) WHERE state = 'PARKED';

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
, subject TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '') WITHOUT ROWID;

CREATE INDEX operator_case_open ON operator_case (created_us) WHERE closed_us IS NULL;

CREATE TABLE payer_registration (
    merchant TEXT   NOT NULL,
    user_id  TEXT   NOT NULL,
    at_us    BIGINT NOT NULL,
    bank     TEXT   NOT NULL,
    payer    BYTEA  NOT NULL, -- sealed: name, bank and account
    PRIMARY KEY (merchant, user_id)
) WITHOUT ROWID;

CREATE TABLE "payout" (
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

CREATE INDEX payout_due ON payout (due_us) WHERE due_us IS NOT NULL;

CREATE INDEX payout_ended ON payout (bank, done_us, created_us) WHERE done_us IS NOT NULL;

CREATE INDEX payout_merchant ON payout (account, created_us, purpose) WHERE purpose = 'MERCHANT';

CREATE INDEX payout_open ON payout (bank, state, created_us) WHERE done_us IS NULL;

CREATE TRIGGER payout_result_stays BEFORE UPDATE ON payout
WHEN OLD.done_us IS NOT NULL
 AND NOT (NEW.done_us IS OLD.done_us AND NEW.reason = OLD.reason AND NEW.limit_broken = OLD.limit_broken AND NEW.scope = OLD.scope
          AND NEW.code = OLD.code AND NEW.attempt_id = OLD.attempt_id
          AND (NEW.state = OLD.state AND NEW.back_us IS OLD.back_us OR OLD.state = 'SUCCEEDED' AND NEW.state = 'RETURNED'))
BEGIN SELECT RAISE(ABORT, 'what a payout came to stays'); END;

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

CREATE TRIGGER payout_attempt_end_stays BEFORE UPDATE ON payout_attempt
WHEN OLD.state IN ('PAID', 'FAILED', 'RETURNED') AND NEW.state <> OLD.state AND NOT (OLD.state = 'PAID' AND NEW.state = 'RETURNED')
BEGIN SELECT RAISE(ABORT, 'what an attempt came to stays'); END;

CREATE UNIQUE INDEX payout_attempt_one ON payout_attempt (payout_id) WHERE state <> 'FAILED';

CREATE INDEX payout_attempt_unnamed ON payout_attempt (bank, first_sent_us) WHERE state = 'PREPARED' AND bank_id = '';

CREATE TABLE "posting" (
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

CREATE TRIGGER posting_no_delete BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER posting_no_update BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE receiver_pause (
    receiver TEXT   NOT NULL PRIMARY KEY,
    note     TEXT   NOT NULL CHECK (note <> ''),
    since_us BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE reconciliation (
    acquirer               TEXT   NOT NULL,
    day                    TEXT   NOT NULL CHECK (length(day) = 8),
    currency               TEXT   NOT NULL,
    stan                   TEXT   NOT NULL,
    state                  TEXT   NOT NULL CHECK (state IN ('OPEN', 'AGREED', 'BREAK')),
    rrn                    TEXT   NOT NULL,
    sent_us                BIGINT,
    code                   TEXT   NOT NULL,
    created_us             BIGINT NOT NULL,
    due_us                 BIGINT,
    tries                  BIGINT NOT NULL,
    credits                BIGINT NOT NULL,
    credit_sum             BIGINT NOT NULL,
    credits_undone         BIGINT NOT NULL,
    credit_undone_sum      BIGINT NOT NULL,
    debits                 BIGINT NOT NULL,
    debit_sum              BIGINT NOT NULL,
    debits_undone          BIGINT NOT NULL,
    debit_undone_sum       BIGINT NOT NULL,
    host_credits           BIGINT, -- all NULL where the network did not say
    host_credit_sum        BIGINT,
    host_credits_undone    BIGINT,
    host_credit_undone_sum BIGINT,
    host_debits            BIGINT,
    host_debit_sum         BIGINT,
    host_debits_undone     BIGINT,
    host_debit_undone_sum  BIGINT,
    PRIMARY KEY (acquirer, day, currency)
) WITHOUT ROWID;

CREATE INDEX reconciliation_due ON reconciliation (due_us) WHERE state = 'OPEN';

CREATE TABLE refund (
    id             TEXT   NOT NULL PRIMARY KEY,
    account        TEXT   NOT NULL,
    request_id     TEXT   NOT NULL,
    reservation_id TEXT   NOT NULL REFERENCES reservation (id),
    state          TEXT   NOT NULL CHECK (state IN ('REFUND_PENDING', 'REFUNDED', 'REFUND_FAILED', 'REFUND_REVERSED')),
    rrn            TEXT   NOT NULL,
    currency       TEXT   NOT NULL,
    arn            TEXT   NOT NULL CHECK (length(arn) IN (0, 23)),
    created_us     BIGINT NOT NULL,
    code           TEXT   NOT NULL,
    done_us        BIGINT,
    day            TEXT   NOT NULL CHECK (length(day) IN (0, 8)), -- of the network, YYYYMMDD
    reason         TEXT   NOT NULL, -- why it failed
    amount         BIGINT NOT NULL CHECK (amount > 0),
    returned       BIGINT NOT NULL CHECK (returned >= 0 AND returned <= amount),
    back_us        BIGINT,
    attempt_id     TEXT   NOT NULL, -- the present one; empty where the network is not asked
    UNIQUE (account, request_id),
    CHECK ((state = 'REFUND_PENDING') = (done_us IS NULL)),
    CHECK ((state = 'REFUND_FAILED') = (reason <> '')),
    CHECK ((state = 'REFUND_REVERSED') = (returned > 0) AND (returned > 0) = (back_us IS NOT NULL))
) WITHOUT ROWID;

CREATE UNIQUE INDEX refund_arn ON refund (arn) WHERE arn <> '';

CREATE TRIGGER refund_arn_once BEFORE UPDATE OF arn ON refund WHEN OLD.arn <> '' AND NEW.arn <> OLD.arn
BEGIN SELECT RAISE(ABORT, 'an acquirer reference number is set once'); END;

CREATE INDEX refund_day ON refund (day, currency) WHERE day <> '';

CREATE INDEX refund_payment ON refund (reservation_id);

CREATE INDEX refund_rrn ON refund (rrn, currency) WHERE rrn <> '';

CREATE TABLE "reservation" (
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

CREATE INDEX reservation_erasable ON reservation (card_until_us) WHERE card IS NOT NULL AND card_until_us IS NOT NULL;

CREATE INDEX reservation_expiring ON reservation (hold_until_us) WHERE state IN ('RESERVED', 'VERIFY_HELD');

CREATE TABLE series (
    name TEXT   NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL CHECK (next >= 0)
) WITHOUT ROWID;

CREATE TABLE settlement (
    id        TEXT   NOT NULL PRIMARY KEY,
    account   TEXT   NOT NULL,
    currency  TEXT   NOT NULL,
    day       TEXT   NOT NULL CHECK (length(day) = 8), -- the last business day in it
    state     TEXT   NOT NULL CHECK (state IN ('CLOSED', 'PAID')),
    reference TEXT   NOT NULL, -- of the payment
    start_us  BIGINT NOT NULL,
    end_us    BIGINT NOT NULL CHECK (end_us > start_us),
    closed_us BIGINT NOT NULL,
    paid_us   BIGINT,
    items     BIGINT NOT NULL CHECK (items >= 0),
    charge    BIGINT NOT NULL,
    adjusted  BIGINT NOT NULL,
    fee       BIGINT NOT NULL,
    vat       BIGINT NOT NULL,
    net       BIGINT NOT NULL,
    parts     BIGINT NOT NULL CHECK (parts > 0),
    UNIQUE (account, currency, day),
    CHECK (net = charge + adjusted + fee + vat),
    CHECK ((state = 'PAID') = (paid_us IS NOT NULL))
) WITHOUT ROWID;

CREATE TABLE settlement_item (
    payment_id    TEXT   NOT NULL,
    event_n       BIGINT NOT NULL CHECK (event_n > 0),
    account       TEXT   NOT NULL,
    kind          TEXT   NOT NULL CHECK (kind IN ('capture', 'refund', 'reverse-refund', 'chargeback', 'reverse-chargeback',
                                                  'funds-reservation',
                                                  'aggregate-adjustment', 'miscellaneous-adjustment')),
    day           TEXT   NOT NULL CHECK (length(day) = 8), -- business day of the account
    currency      TEXT   NOT NULL,
    subject       TEXT   NOT NULL,
    at_us         BIGINT NOT NULL,
    own_id        TEXT   NOT NULL,
    link          TEXT   NOT NULL,
    note          TEXT   NOT NULL,
    charge        BIGINT NOT NULL,
    fee           BIGINT NOT NULL,
    vat           BIGINT NOT NULL,
    settlement_id TEXT   REFERENCES settlement (id), -- NULL until it is in one
    PRIMARY KEY (payment_id, event_n)
) WITHOUT ROWID;

CREATE TRIGGER settlement_item_no_delete BEFORE DELETE ON settlement_item BEGIN SELECT RAISE(ABORT,
'settlement items are append-only'); END;

CREATE TRIGGER settlement_item_no_update
BEFORE UPDATE OF payment_id, event_n, account, kind, day, currency, subject, at_us, own_id, link, note, charge, fee, vat ON settlement_item
BEGIN SELECT RAISE(ABORT, 'settlement items are append-only'); END;

CREATE INDEX settlement_item_of ON settlement_item (settlement_id, day) WHERE settlement_id IS NOT NULL;

CREATE TRIGGER settlement_item_once BEFORE UPDATE OF settlement_id ON settlement_item WHEN OLD.settlement_id IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'an item is settled once'); END;

CREATE INDEX settlement_item_open ON settlement_item (account, currency, day) WHERE settlement_id IS NULL;

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

CREATE TRIGGER statement_entry_no_delete BEFORE DELETE ON statement_entry BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;

CREATE TRIGGER statement_entry_no_update
BEFORE UPDATE OF bank, id, at_us, bank_id, currency, attempt_id, kind, reference, amount, balance ON statement_entry
BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;

CREATE INDEX statement_entry_unknown ON statement_entry (bank, known) WHERE known = FALSE;
